-- name: insert_api_key
insert into api_keys (
    organization_id, id, name, prefix, digest, scope, scoped_project_id, created_by_user_id, expires_at,
    rate_limit_per_minute, permissions, source_binding)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
returning {{ api_key }}

-- name: get_api_key
select {{ api_key }} from api_keys where organization_id = $1 and id = $2 for no key update

-- name: find_api_keys
-- By a whole text also when that is the secret before the last rotation.
select {{ api_key }} from api_keys
where organization_id = $1 and (id = $2 or prefix = $3 or digest = $4 or previous_digest = $4)

-- name: list_api_keys
select {{ api_key }} from api_keys where organization_id = $1 order by created_at, id

-- name: list_api_keys_page
-- Active means that it works now.
select {{ api_key }}
from api_keys
where organization_id = $1 and {{ api_keys_asked_for }}
order by created_at, id
limit $7 offset $8

-- name: count_api_keys
select count(*)
from api_keys
where organization_id = $1 and {{ api_keys_asked_for }}

-- name: is_project_member
select exists (
    select from project_members where organization_id = $1 and project_id = $2 and user_id = $3)

-- name: revoke_api_key
update api_keys set revoked_at = now() where organization_id = $1 and id = $2
returning {{ api_key }}

-- name: rotate_api_key
-- The secret before the last rotation, if it still was valid, gives way to the one that is replaced now.
update api_keys
set prefix = $3, digest = $4, previous_digest = digest, previous_valid_until = now() + $5::interval,
    secret_number = secret_number + 1
where organization_id = $1 and id = $2 and revoked_at is null and (expires_at is null or expires_at > now())
returning {{ api_key }}

-- name: set_rate_limit
update api_keys set rate_limit_per_minute = $3 where organization_id = $1 and id = $2
returning {{ api_key }}
