-- name: insert_webhook
-- Its events begin with those of later transactions; those of this one are its own making.
insert into webhooks (
    organization_id, id, destination_url, event_names, description, enabled, sealed_secret, created_by_user_id,
    from_epoch, from_transaction_id)
values ($1, $2, $3, $4, $5, $6, $7, $8, {{ current_epoch }}, pg_current_xact_id())
returning {{ webhook }}

-- name: insert_position
-- The organisation's first webhook: nothing that happened before is handed over.
insert into webhook_positions (organization_id, feed_epoch, transaction_id, event_id)
values ($1, {{ current_epoch }}, pg_current_xact_id(), 'ffffffff-ffff-ffff-ffff-ffffffffffff')
on conflict do nothing

-- name: get_webhook
select {{ webhook }} from webhooks where organization_id = $1 and id = $2 for no key update

-- name: find_webhook
select {{ webhook }} from webhooks where organization_id = $1 and id = $2

-- name: list_webhooks
select {{ webhook }} from webhooks where organization_id = $1 order by created_at, id limit $2 offset $3

-- name: count_webhooks
select count(*) from webhooks where organization_id = $1

-- name: update_webhook
-- Enabled again, it begins anew: what happened meanwhile is sent by a replay, when that is asked for.
update webhooks
set destination_url = $3, event_names = $4, description = $5, enabled = $6,
    disabled_reason = case when $6 then null else disabled_reason end,
    failing_since = case when $6 and not enabled then null else failing_since end,
    from_epoch = case when $6 and not enabled then {{ current_epoch }} else from_epoch end,
    from_transaction_id = case when $6 and not enabled then pg_current_xact_id() else from_transaction_id end,
    updated_at = now()
where organization_id = $1 and id = $2
returning {{ webhook }}

-- name: rotate_secret
update webhooks
set sealed_previous_secret = sealed_secret, previous_secret_valid_until = now() + make_interval(secs => $4),
    sealed_secret = $3, updated_at = now()
where organization_id = $1 and id = $2
returning {{ webhook }}

-- name: delete_webhook
delete from webhooks where organization_id = $1 and id = $2

-- name: insert_test_delivery
insert into webhook_deliveries (
    organization_id, id, webhook_id, event_id, event_name, entity_id, feed_epoch, transaction_id, body)
values ($1, $2, $3, $2, 'webhook.test', $3, {{ current_epoch }}, pg_current_xact_id(), $4)

-- name: list_deliveries
select id, webhook_id, event_id, event_name, entity_id, state, attempts,
    case when state = 'pending' then due_at end as next_attempt_at, created_at, settled_at
from webhook_deliveries
where organization_id = $1 and webhook_id = $2
    and ($3::text is null or state = $3) and ($4::text is null or event_name = $4)
    and ($5::timestamptz is null or created_at >= $5) and ($6::timestamptz is null or created_at <= $6)
order by created_at desc, feed_epoch desc, transaction_id desc, id desc limit $7 offset $8

-- name: count_deliveries
select count(*)
from webhook_deliveries
where organization_id = $1 and webhook_id = $2
    and ($3::text is null or state = $3) and ($4::text is null or event_name = $4)
    and ($5::timestamptz is null or created_at >= $5) and ($6::timestamptz is null or created_at <= $6)

-- name: list_attempts
select delivery_id, number, attempted_at, duration_milliseconds, status, answer, error
from webhook_attempts
where organization_id = $1 and delivery_id = any ($2)
order by delivery_id, number

-- name: redeliver
-- The same delivery once more, with the same webhook-id; its schedule begins anew. One that is being sent at this very
-- moment keeps its lease, so that what comes of it is noted.
update webhook_deliveries
set state = 'pending', attempts = 0, settled_at = null,
    due_at = case when lease is null then now() else due_at end
where organization_id = $1 and webhook_id = $2 and id = $3
returning id

-- name: replay_known
-- Everything of the time that was to be delivered and is still asked for, once more, with the same webhook-ids.
update webhook_deliveries d
set state = 'pending', attempts = 0, due_at = now(), lease = null, settled_at = null
from events e
join webhooks w on w.organization_id = e.organization_id and w.id = $2
where d.organization_id = $1 and d.webhook_id = $2 and d.state <> 'pending'
    and e.organization_id = d.organization_id and e.feed_epoch = d.feed_epoch
    and e.transaction_id = d.transaction_id and e.id = d.event_id
    and e.occurred_at >= $3 and e.occurred_at < $4
    and ({{ wants_event }})
    and ($5::text[] is null or d.event_name = any ($5))

-- name: replay_missed
-- What was not handed over at the time, since the webhook was disabled or did not exist.
with missed as (
    select e.*
    from events e
    join webhooks w on w.organization_id = e.organization_id and w.id = $2
    where e.organization_id = $1 and e.occurred_at >= $3 and e.occurred_at < $4
        and ({{ wants_event }})
        and ($5::text[] is null or e.event_name = any ($5))
        and not exists (
            select from webhook_deliveries d
            where d.organization_id = e.organization_id and d.webhook_id = $2 and d.event_id = e.id)
)
insert into webhook_deliveries (
    organization_id, id, webhook_id, event_id, event_name, entity_id, feed_epoch, transaction_id, body)
select organization_id, gen_random_uuid(), $2, id, event_name, entity_id, feed_epoch, transaction_id, {{ delivery_body }}
from missed e
on conflict on constraint one_delivery_per_event do nothing

-- name: now
-- crosses tenants: the database's clock.
select now()
