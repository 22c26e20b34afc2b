-- name: identify
-- crosses tenants: a key is found by its digest, before its organisation is known.
-- Notes the use at most once a minute and never waits for another process that notes it: a row per request would
-- make reading a write.
with key as (
    select k.*, u.role, o.name as organization_name, o.features, o.strict
    from api_keys k
    join users u on u.organization_id = k.organization_id and u.id = k.created_by_user_id
    join organizations o on o.organization_id = k.organization_id
    where k.digest = $1
    union all
    -- After a rotation the old secret stays valid for an overlap.
    select k.*, u.role, o.name as organization_name, o.features, o.strict
    from api_keys k
    join users u on u.organization_id = k.organization_id and u.id = k.created_by_user_id
    join organizations o on o.organization_id = k.organization_id
    where k.previous_digest = $1 and k.previous_valid_until > now()
), used as (
    update api_keys k set last_used_at = now()
    from (
        select a.organization_id, a.id
        from api_keys a
        join key on key.organization_id = a.organization_id and key.id = a.id
        where key.revoked_at is null and (a.last_used_at is null or a.last_used_at < now() - interval '1 minute')
        for update of a skip locked
    ) stale
    where k.organization_id = stale.organization_id and k.id = stale.id
    returning k.last_used_at
)
select
    organization_id, id, name, prefix, scope, scoped_project_id, permissions, source_binding, rate_limit_per_minute,
    case when digest <> $1 then extract(epoch from previous_valid_until - now())::float8 end as secret_ends_in_seconds,
    created_by_user_id, role, revoked_at is not null as revoked, coalesce(expires_at <= now(), false) as expired,
    features, strict, coalesce((select last_used_at from used), last_used_at) as last_used_at
from key
