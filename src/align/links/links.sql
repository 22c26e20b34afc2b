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

-- name: get_link
select {{ link }} from integration_links
where organization_id = $1 and id = $2 and align_entity_type in ('time_entry', 'ticket', 'project', 'user')
for update

-- name: delete_link
delete from integration_links
where organization_id = $1 and provider = $2 and external_type = $3 and external_id = $4

-- The lists: one query for each index that can serve it. Conditions on align_entity_type hold for every row and are
-- those of the partial indexes. Ids are in the order of creation.

-- name: page_of_links
select {{ link }} from integration_links l
where l.organization_id = $1 and {{ matching }}
    and l.align_entity_type in ('time_entry', 'ticket', 'project', 'user')
order by l.id
limit $8 offset $9

-- name: count_links
select count(*) from integration_links l
where l.organization_id = $1 and {{ matching }}
    and l.align_entity_type in ('time_entry', 'ticket', 'project', 'user')

-- name: page_of_links_of_reference
select {{ link }} from integration_links l
where l.organization_id = $1 and l.provider = $2 and l.external_type = $3 and l.external_id = $4 and {{ matching }}
order by l.id
limit $8 offset $9

-- name: count_links_of_reference
select count(*) from integration_links l
where l.organization_id = $1 and l.provider = $2 and l.external_type = $3 and l.external_id = $4 and {{ matching }}

-- name: page_of_links_of_entity
select {{ link }} from integration_links l
where l.organization_id = $1 and l.align_entity_id = $6 and {{ matching }}
    and l.align_entity_type in ('time_entry', 'ticket', 'project', 'user')
order by l.id
limit $8 offset $9

-- name: count_links_of_entity
select count(*) from integration_links l
where l.organization_id = $1 and l.align_entity_id = $6 and {{ matching }}
    and l.align_entity_type in ('time_entry', 'ticket', 'project', 'user')

-- name: find_time_entry
select project_id, source from time_entries where organization_id = $1 and id = $2 and deleted_at is null

-- name: find_ticket
select project_id, null as source from tickets where organization_id = $1 and id = $2

-- name: find_project
select id as project_id, null as source from projects where organization_id = $1 and id = $2

-- name: find_user
select null::uuid as project_id, null as source from users where organization_id = $1 and id = $2
