-- name: insert_event
insert into events (
    organization_id, id, event_name, entity_type, entity_id, actor_user_id, actor_api_key_id, occurred_at, before, after,
    project_id)
values ($1, $2, $3, $4, $5, $6, $7, now(), $8, $9, $10)
