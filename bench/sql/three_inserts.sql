\set project random(1, :projects)
\set person random(1, :people)
begin;
insert into integration_links (
    organization_id, id, provider, external_type, external_id, align_entity_type, align_entity_id, created_at)
values ({organization_id}, uuidv7(), 'illumera', 'time_entry', {external_id}, 'time_entry', uuidv7(), now())
returning align_entity_id as entry \gset
insert into time_entries (
    organization_id, id, project_id, user_id, work_date, minutes, description, billable, source, status,
    created_at, updated_at)
values ({organization_id}, :entry, {project_id}, {user_id}, '2025-01-15', 150, 'Sprint planning session.', true,
    'illumera', 'draft', now(), now());
insert into events (
    organization_id, id, event_name, entity_type, entity_id, actor_user_id, actor_api_key_id, occurred_at, after)
values ({organization_id}, uuidv7(), 'time.logged', 'time_entry', :entry, {actor_id}, {actor_id}, now(), {after});
commit;
