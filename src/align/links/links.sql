-- name: insert_link
-- A link of the same reference stays as it is, also one that a sync makes at the same moment.
insert into integration_links (
    organization_id, id, provider, external_type, external_id, align_entity_type, align_entity_id, created_at)
values ($1, $2, $3, $4, $5, $6, $7, now())
on conflict on constraint one_entry_per_external_id do nothing
returning {{ link }}

-- name: find_link
select {{ link }} from integration_links
where organization_id = $1 and provider = $2 and external_type = $3 and external_id = $4
