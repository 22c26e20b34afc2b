-- name: lock_idempotency_key
-- crosses tenants: reads none; the text that is locked begins with the organisation's id.
-- Two requests with one key run one after the other, so the second finds the first one's answer.
select pg_advisory_xact_lock(hashtextextended($1, 0))

-- name: lock_organization
-- crosses tenants: reads none; the text that is locked is the organisation's id.
select pg_advisory_xact_lock(hashtextextended($1, 1))

-- name: find_kept_answer
select status, response, location, etag, body_digest
from idempotency_keys
where organization_id = $1 and api_key_id = $2 and method = 'POST' and path = $3 and key = $4 and expires_at > now()

-- name: keep_answer
-- An expired row that the clean-up has not reached yet gives way.
insert into idempotency_keys (
    organization_id, api_key_id, method, path, key, body_digest, status, response, location, etag, expires_at)
values ($1, $2, 'POST', $3, $4, $5, $6, $7, $8, $9, now() + interval '24 hours')
on conflict on constraint one_response_per_idempotency_key do update
set body_digest = excluded.body_digest, status = excluded.status, response = excluded.response,
    location = excluded.location, etag = excluded.etag, content_differs = null, created_at = now(),
    expires_at = excluded.expires_at
where idempotency_keys.expires_at <= now()
