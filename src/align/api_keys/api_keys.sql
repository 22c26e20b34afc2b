-- name: insert_api_key
insert into api_keys (
    organization_id, id, name, prefix, digest, scope, scoped_project_id, created_by_user_id, expires_at,
    rate_limit_per_minute)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
returning {{ api_key }}

-- name: get_api_key
select {{ api_key }} from api_keys where organization_id = $1 and id = $2 for no key update

-- name: find_api_keys
select {{ api_key }} from api_keys where organization_id = $1 and (id = $2 or prefix = $3 or digest = $4)

-- name: list_api_keys
select {{ api_key }} from api_keys where organization_id = $1 order by created_at, id

-- name: revoke_api_key
update api_keys set revoked_at = now() where organization_id = $1 and id = $2
returning {{ api_key }}

-- name: set_rate_limit
update api_keys set rate_limit_per_minute = $3 where organization_id = $1 and id = $2
returning {{ api_key }}
