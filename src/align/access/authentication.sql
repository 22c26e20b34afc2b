-- name: identify
-- crosses tenants: a key is found by its digest, before its organisation is known.
-- Notes the use at most once a minute and never waits for another process that notes it: a row per request would
-- make reading a write. By the time of the statement: its transaction may have waited for its turn.
with found as (
    select k.*, k.secret_number as sent_secret_number, false as secret_replaced
    from api_keys k
    where k.digest = $1
    union all
    -- After a rotation the old secret stays valid for an overlap; then it is known still, as one that was replaced.
    select k.*, k.secret_number - 1, k.previous_valid_until <= statement_timestamp()
    from api_keys k
    where k.previous_digest = $1
), key as (
    select
        f.*, u.role, o.features, o.strict, f.revoked_at is not null as revoked,
        coalesce(f.expires_at <= statement_timestamp(), false) as expired, u.deactivated_at is not null as creator_deactivated
    from found f
    join users u on u.organization_id = f.organization_id and u.id = f.created_by_user_id
    join organizations o on o.organization_id = f.organization_id
), used as (
    update api_keys k set last_used_at = now()
    from (
        select a.organization_id, a.id
        from api_keys a
        join key on key.organization_id = a.organization_id and key.id = a.id
        where not (key.revoked or key.secret_replaced or key.expired or key.creator_deactivated)
            and (a.last_used_at is null or a.last_used_at < now() - interval '1 minute')
        for update of a skip locked
    ) stale
    where k.organization_id = stale.organization_id and k.id = stale.id
    returning k.last_used_at
)
select
    organization_id, id, name, prefix, scope, scoped_project_id, permissions, source_binding, rate_limit_per_minute,
    created_by_user_id, role, features, strict, sent_secret_number, revoked, secret_replaced, expired,
    creator_deactivated, coalesce((select last_used_at from used), last_used_at) as last_used_at
from key
