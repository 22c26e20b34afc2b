-- name: insert_ticket
insert into tickets (organization_id, project_id, id, title, status)
select organization_id, id, $3, $4, $5 from projects where organization_id = $1 and id = $2
returning {{ ticket }}

-- name: get_ticket
select {{ ticket }} from tickets where organization_id = $1 and project_id = $2 and id = $3 for no key update

-- name: read_ticket
select {{ ticket }} from tickets where organization_id = $1 and project_id = $2 and id = $3

-- name: list_tickets
select {{ ticket }} from tickets where organization_id = $1 and project_id = $2 order by created_at, id

-- name: page_of_tickets
select {{ ticket }} from tickets
where organization_id = $1 and project_id = $2 and ($3::text is null or status = $3)
order by created_at, id
limit $4 offset $5

-- name: count_tickets
select count(*) from tickets
where organization_id = $1 and project_id = $2 and ($3::text is null or status = $3)

-- name: update_ticket
update tickets set title = $4, status = $5, updated_at = now()
where organization_id = $1 and project_id = $2 and id = $3
returning {{ ticket }}
