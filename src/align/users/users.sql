-- name: insert_user
insert into users (organization_id, id, email, name, role, metadata) values ($1, $2, $3, $4, $5, $6)
on conflict do nothing
returning {{ user }}

-- name: get_user
select {{ user }} from users where organization_id = $1 and id = $2 for no key update

-- name: read_user
select {{ user }} from users where organization_id = $1 and id = $2

-- name: find_users
select {{ user }} from users where organization_id = $1 and (id = $2 or lower(email) = lower($3))

-- name: find_user_by_email
select {{ user }} from users where organization_id = $1 and lower(email) = lower($2) and email like '%@%'

-- name: list_users
select {{ user }} from users where organization_id = $1 order by lower(email)

-- name: page_of_users
-- Every email has an @; the condition is the index's.
select {{ user }} from users
where organization_id = $1 and email like '%@%' and ($2::text[] is null or role = any ($2))
    and ($3::boolean is null or (deactivated_at is null) = $3)
order by lower(email), id
limit $4 offset $5

-- name: count_users
select count(*) from users
where organization_id = $1 and email like '%@%' and ($2::text[] is null or role = any ($2))
    and ($3::boolean is null or (deactivated_at is null) = $3)

-- name: lock_active_admins
-- In one order, so that two who take admins away at the same time wait for each other and don't deadlock.
select id from users where organization_id = $1 and role = 'admin' and deactivated_at is null
order by id
for no key update

-- name: update_user
-- No row when another user has the email.
update users
set email = $3, name = $4, role = $5, deactivated_at = case when not $6 then coalesce(deactivated_at, now()) end,
    updated_at = now()
where organization_id = $1 and id = $2 and not exists (
    select from users other
    where other.organization_id = $1 and lower(other.email) = lower($3) and other.email like '%@%' and other.id <> $2)
returning {{ user }}
