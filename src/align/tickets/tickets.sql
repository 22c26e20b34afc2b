-- name: insert_ticket
insert into tickets (organization_id, project_id, id, title)
select organization_id, id, $3, $4 from projects where organization_id = $1 and id = $2
returning {{ ticket }}

-- name: get_ticket
select {{ ticket }} from tickets where organization_id = $1 and project_id = $2 and id = $3 for no key update

-- name: list_tickets
select {{ ticket }} from tickets where organization_id = $1 and project_id = $2 order by created_at, id
