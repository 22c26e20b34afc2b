\set project random(1, :projects)
\set person random(1, :people)
-- one statement
with new as materialized (
    select uuidv7() as id
), link as (
    insert into integration_links (
        organization_id, id, provider, external_type, external_id, align_entity_type, align_entity_id, created_at)
    select {organization_id}, uuidv7(), 'illumera', 'time_entry', {external_id}, 'time_entry', id, now()
    from new
), entry as (
    insert into time_entries (
        organization_id, id, project_id, user_id, work_date, minutes, description, billable, source, status,
        created_at, updated_at)
    select {organization_id}, id, {project_id}, {user_id}, '2025-01-15', 150, 'Sprint planning session.', true,
        'illumera', 'draft', now(), now()
    from new
)
insert into events (
    organization_id, id, event_name, entity_type, entity_id, actor_user_id, actor_api_key_id, occurred_at, after)
select {organization_id}, uuidv7(), 'time.logged', 'time_entry', id, {actor_id}, {actor_id}, now(), {after}
from new;
