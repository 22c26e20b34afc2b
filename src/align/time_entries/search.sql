-- Pages of time entries in six orders. A page begins after the position ($12, $13), and after $15 more; both forms of a
-- list come from here: JSON, and lines of CSV where $16 is true. One row is one time entry.

-- name: by_work_date_asc
select case when $16 then {{ entry_csv }} else json end as line, position, id
from (
    select {{ entry_json }} || '}' as json, e.work_date as position, e.id
    from time_entries e
    where e.organization_id = $1 and {{ filters }}
        and (e.work_date, e.id) > ($12::date, $13::uuid)
    order by e.work_date, e.id
    limit $14 offset $15
) page
order by position, id

-- name: by_work_date_desc
select case when $16 then {{ entry_csv }} else json end as line, position, id
from (
    select {{ entry_json }} || '}' as json, e.work_date as position, e.id
    from time_entries e
    where e.organization_id = $1 and {{ filters }}
        and (e.work_date, e.id) < ($12::date, $13::uuid)
    order by e.work_date desc, e.id desc
    limit $14 offset $15
) page
order by position desc, id desc

-- name: by_created_at_asc
select case when $16 then {{ entry_csv }} else json end as line, position, id
from (
    select {{ entry_json }} || '}' as json, e.created_at as position, e.id
    from time_entries e
    where e.organization_id = $1 and {{ filters }}
        and (e.created_at, e.id) > ($12::timestamptz, $13::uuid)
    order by e.created_at, e.id
    limit $14 offset $15
) page
order by position, id

-- name: by_created_at_desc
select case when $16 then {{ entry_csv }} else json end as line, position, id
from (
    select {{ entry_json }} || '}' as json, e.created_at as position, e.id
    from time_entries e
    where e.organization_id = $1 and {{ filters }}
        and (e.created_at, e.id) < ($12::timestamptz, $13::uuid)
    order by e.created_at desc, e.id desc
    limit $14 offset $15
) page
order by position desc, id desc

-- name: by_updated_at_asc
select case when $16 then {{ entry_csv }} else json end as line, position, id
from (
    select {{ entry_json }} || '}' as json, e.updated_at as position, e.id
    from time_entries e
    where e.organization_id = $1 and {{ filters }}
        and (e.updated_at, e.id) > ($12::timestamptz, $13::uuid)
    order by e.updated_at, e.id
    limit $14 offset $15
) page
order by position, id

-- name: by_updated_at_desc
select case when $16 then {{ entry_csv }} else json end as line, position, id
from (
    select {{ entry_json }} || '}' as json, e.updated_at as position, e.id
    from time_entries e
    where e.organization_id = $1 and {{ filters }}
        and (e.updated_at, e.id) < ($12::timestamptz, $13::uuid)
    order by e.updated_at desc, e.id desc
    limit $14 offset $15
) page
order by position desc, id desc

-- name: count_entries
select count(*) from time_entries e where e.organization_id = $1 and {{ filters }}

-- name: find_project
select id from projects where organization_id = $1 and id = $2
