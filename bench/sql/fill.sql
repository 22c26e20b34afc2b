-- Entries as syncs store them, many at once: their foreign keys are right by construction and not checked again.
with new as materialized (
    select
        uuidv7() as id,
        ($2 || lpad((n % $4::integer + 1)::text, 12, '0'))::uuid as project_id,
        ($3 || lpad((n / 7 % $5::integer + 1)::text, 12, '0'))::uuid as user_id,
        date '2025-01-15' as work_date,
        150 as minutes,
        'Sprint planning session.' as description
    from generate_series(1, $6::integer) as n
), links as (
    insert into integration_links (
        organization_id, id, provider, external_type, external_id, align_entity_type, align_entity_id, created_at)
    select $1, uuidv7(), 'illumera', 'time_entry', 'illumera-te-' || gen_random_uuid(), 'time_entry', id, now()
    from new
), entries as (
    insert into time_entries (
        organization_id, id, project_id, user_id, work_date, minutes, description, billable, source, status,
        created_at, updated_at)
    select $1, id, project_id, user_id, work_date, minutes, description, true, 'illumera', 'draft', now(), now()
    from new
)
insert into events (
    organization_id, id, event_name, entity_type, entity_id, actor_user_id, actor_api_key_id, occurred_at, after)
select
    $1, uuidv7(), 'time.logged', 'time_entry', id, $7, $7, now(),
    json_build_object(
        'id', id, 'organizationId', $1, 'projectId', project_id, 'userId', user_id, 'entryId', null,
        'workDate', work_date, 'hours', '2.5', 'minutes', minutes, 'notes', description, 'billable', true,
        'source', 'illumera', 'status', 'draft', 'invoiced', false, 'createdAt', now(), 'updatedAt', now())
from new
