-- name: find_linked
-- The time entry that a reference names, and which members of a create with it differ ($5 to $11).
select
    l.align_entity_type, e.id, e.project_id, e.version, e.deleted_at is not null as deleted,
    {{ entry_json }} || ',"created":false}' as json,
    nullif(concat_ws(', ',
        case when e.project_id <> $5 then 'projectId' end,
        case when e.user_id <> $6 then 'userId' end,
        case when e.work_date <> $7 then 'workDate' end,
        case when e.minutes <> $8 then 'minutes' end,
        case when e.billable <> $9 then 'billable' end,
        case when e.description is distinct from $10 then 'description' end,
        case when e.ticket_id is distinct from $11::uuid then 'entryId' end
    ), '') as differs
from integration_links l
left join time_entries e on e.organization_id = l.organization_id and e.id = l.align_entity_id
where l.organization_id = $1 and l.provider = $2 and l.external_type = $3 and l.external_id = $4

-- name: insert_entry
-- The time entry and its event, as a sync writes them.
with stored as (
    insert into time_entries (
        organization_id, id, project_id, user_id, ticket_id, work_date, minutes, description, billable, source,
        created_at, updated_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, now(), now())
    returning *
), answers as materialized (
    select e.*, {{ entry_json }} as json from stored e
), recorded as (
    insert into events (
        organization_id, id, event_name, entity_type, entity_id, actor_user_id, actor_api_key_id, occurred_at, after,
        project_id)
    select
        organization_id, $11, 'time.logged', 'time_entry', id, $12, $13, created_at, (json || '}')::json, project_id
    from answers
)
select json || ',"created":true}' as json, version from answers
