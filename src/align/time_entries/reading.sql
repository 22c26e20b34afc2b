-- name: find_by_id
select {{ entry_json }}
    || ',"externalMetadata":' || coalesce(e.external_metadata, 'null')
    || ',"integrationLinks":' || {{ links_json }} || '}' as json
from time_entries e
where e.organization_id = $1 and e.id = $2 and e.deleted_at is null

-- name: find_by_pair
select {{ entry_json }}
    || ',"externalMetadata":' || coalesce(e.external_metadata, 'null')
    || ',"integrationLinks":' || {{ links_json }} || '}' as json,
    e.deleted_at is not null as deleted
from integration_links found
join time_entries e on e.organization_id = found.organization_id and e.id = found.align_entity_id
where found.organization_id = $1 and found.provider = $2 and found.external_type = 'time_entry'
    and found.external_id = $3
