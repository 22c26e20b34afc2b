-- name: entries_of_period
select {{ compared }}
{{ of_period }}
where e.organization_id = $1 and e.work_date between $3 and $4 and e.deleted_at is null
    and l.provider = $2 and l.external_type = 'time_entry'
order by e.work_date, e.id

-- name: entries_of_external_ids
select {{ compared }}
from integration_links l
join time_entries e on e.organization_id = l.organization_id and e.id = l.align_entity_id
where l.organization_id = $1 and l.provider = $2 and l.external_type = 'time_entry' and l.external_id = any($3::text[])

-- name: json_of_entries
select e.id, {{ ../time_entries/entry_json }} || '}' as json
from time_entries e
where e.organization_id = $1 and e.id = any($2::uuid[])
