-- name: insert_project
insert into projects (organization_id, id, name, status) values ($1, $2, $3, $4)
returning {{ project }}

-- name: get_project
select {{ project }} from projects where organization_id = $1 and id = $2 for no key update

-- name: read_project
select {{ project }} from projects where organization_id = $1 and id = $2

-- name: existing_projects
select id from projects where organization_id = $1 and id = any ($2::uuid[])

-- name: find_projects
select {{ project }} from projects where organization_id = $1 and (id = $2 or name = $3) order by id limit 10

-- name: list_projects
select {{ project }} from projects where organization_id = $1 order by name, id

-- name: page_of_projects
-- With $2, that project alone.
select {{ project }} from projects
where organization_id = $1 and ($2::uuid is null or id = $2) and ($3::text[] is null or status = any ($3))
    and ($4::text is null or name = $4)
order by name, id
limit $5 offset $6

-- name: count_projects
select count(*) from projects
where organization_id = $1 and ($2::uuid is null or id = $2) and ($3::text[] is null or status = any ($3))
    and ($4::text is null or name = $4)

-- name: update_project
update projects set name = $3, status = $4, updated_at = now() where organization_id = $1 and id = $2
returning {{ project }}
