-- name: insert_project
insert into projects (organization_id, id, name, status) values ($1, $2, $3, $4)
returning {{ project }}

-- name: get_project
select {{ project }} from projects where organization_id = $1 and id = $2 for no key update

-- name: find_projects
select {{ project }} from projects where organization_id = $1 and (id = $2 or name = $3) order by id limit 10

-- name: list_projects
select {{ project }} from projects where organization_id = $1 order by name, id

-- name: update_project
update projects set status = $3, updated_at = now() where organization_id = $1 and id = $2
returning {{ project }}
