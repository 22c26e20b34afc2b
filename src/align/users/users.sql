-- name: insert_user
insert into users (organization_id, id, email, name, role) values ($1, $2, $3, $4, $5)
on conflict do nothing
returning {{ user }}

-- name: get_user
select {{ user }} from users where organization_id = $1 and id = $2 for no key update

-- name: find_users
select {{ user }} from users where organization_id = $1 and (id = $2 or lower(email) = lower($3))

-- name: list_users
select {{ user }} from users where organization_id = $1 order by lower(email)

-- name: update_user
update users
set role = $3, deactivated_at = case when $4 then coalesce(deactivated_at, now()) end, updated_at = now()
where organization_id = $1 and id = $2
returning {{ user }}
