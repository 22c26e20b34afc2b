-- name: current_epoch
-- crosses tenants: the epoch of the whole database's transaction ids.
select {{ current_epoch }}

-- name: hand_over
-- crosses tenants: each organisation's events go to its own webhooks; the positions of all are advanced together.
-- The next events of every organisation that has webhooks, in the order of the change feed: only those of transactions
-- older than all that still run, so none that commits late is passed by. Deliveries and position are one transaction,
-- and one process at a time advances an organisation: each event is handed over once.
with behind as materialized (
    select p.organization_id, p.feed_epoch, p.transaction_id, p.event_id
    from webhook_positions p
    where exists (
        select from webhooks w where w.organization_id = p.organization_id and w.enabled)
        -- Looked at before the row is locked, which would write to the log many times a second for nothing.
        and exists (
            select
            from events e
            where e.organization_id = p.organization_id
                and (e.feed_epoch, e.transaction_id, e.id) > (p.feed_epoch, p.transaction_id, p.event_id)
                and (e.feed_epoch < $2 or e.transaction_id < pg_snapshot_xmin(pg_current_snapshot())))
    for update of p skip locked
), next_events as materialized (
    select e.*
    from behind b
    cross join lateral (
        select e.*
        from events e
        where e.organization_id = b.organization_id
            and (e.feed_epoch, e.transaction_id, e.id) > (b.feed_epoch, b.transaction_id, b.event_id)
            and (e.feed_epoch < $2 or e.transaction_id < pg_snapshot_xmin(pg_current_snapshot()))
        order by e.feed_epoch, e.transaction_id, e.id
        limit $1
    ) e
), handed as (
    insert into webhook_deliveries (
        organization_id, id, webhook_id, event_id, event_name, entity_id, feed_epoch, transaction_id, body)
    select
        e.organization_id, gen_random_uuid(), w.id, e.id, e.event_name, e.entity_id, e.feed_epoch, e.transaction_id,
        {{ delivery_body }}
    from next_events e
    join webhooks w
        on w.organization_id = e.organization_id and w.enabled
        and (e.feed_epoch, e.transaction_id) > (w.from_epoch, w.from_transaction_id)
        and ({{ wants_event }})
    on conflict on constraint one_delivery_per_event do nothing
    returning 1
), last_events as (
    select distinct on (organization_id) organization_id, feed_epoch, transaction_id, id
    from next_events
    order by organization_id, feed_epoch desc, transaction_id desc, id desc
), advanced as (
    update webhook_positions p
    set feed_epoch = l.feed_epoch, transaction_id = l.transaction_id, event_id = l.id
    from last_events l
    where p.organization_id = l.organization_id
)
select (select count(*) from next_events) as events, (select count(*) from handed) as deliveries

-- name: claim
-- crosses tenants: workers deliver for all organisations, each webhook within its own room.
-- Deliveries about one entity go out one after the other, in the order of the change feed: a later one waits until the
-- earlier is delivered or given up. A claim is a lease: it ends at due_at, when the delivery is anybody's again.
with due as (
    select d.organization_id, d.id
    from webhooks w
    cross join lateral (
        select d.organization_id, d.id
        from webhook_deliveries d
        where d.organization_id = w.organization_id and d.webhook_id = w.id
            and d.state = 'pending' and d.due_at <= now()
            and not exists (
                select from webhook_deliveries earlier
                where earlier.organization_id = d.organization_id and earlier.webhook_id = d.webhook_id
                    and earlier.entity_id = d.entity_id and earlier.state = 'pending'
                    and (earlier.feed_epoch, earlier.transaction_id, earlier.event_id)
                        < (d.feed_epoch, d.transaction_id, d.event_id)
            )
        order by d.due_at
        limit $2
        for update skip locked
    ) d
    where w.enabled and not w.id = any ($1)
    limit $3
), claimed as (
    update webhook_deliveries d
    set due_at = now() + make_interval(secs => $4), lease = $5, attempts = attempts + 1
    from due
    where d.organization_id = due.organization_id and d.id = due.id
    returning d.*
)
select
    c.organization_id, c.id, c.webhook_id, c.body, c.attempts, c.lease, c.created_at, c.event_name, w.destination_url,
    w.sealed_secret, case when w.previous_secret_valid_until > now() then w.sealed_previous_secret end as sealed_previous
from claimed c
join webhooks w on w.organization_id = c.organization_id and w.id = c.webhook_id

-- name: settle
-- crosses tenants: what came of a worker's attempts, each in its own organisation. A lease that was lost settles nothing.
with given as (
    select *
    from unnest(
        $1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::float8[], $6::float8[], $7::integer[], $8::integer[],
        $9::text[], $10::text[]
    ) as g (organization_id, id, lease, state, wait_seconds, started_seconds_ago, duration_milliseconds, status, answer,
        error)
), settled as (
    update webhook_deliveries d
    set state = g.state, lease = null,
        due_at = case when g.state = 'pending' then now() + make_interval(secs => g.wait_seconds) else now() end,
        settled_at = case when g.state <> 'pending' then now() end
    from given g
    where d.organization_id = g.organization_id and d.id = g.id and d.lease = g.lease
    returning d.organization_id, d.id, d.webhook_id, d.attempts
), noted as (
    insert into webhook_attempts (
        organization_id, delivery_id, number, attempted_at, duration_milliseconds, status, answer, error)
    select
        s.organization_id, s.id,
        -- Numbers go on after a redelivery, whose attempts count anew.
        1 + coalesce((select max(a.number) from webhook_attempts a
            where a.organization_id = s.organization_id and a.delivery_id = s.id), 0),
        now() - make_interval(secs => g.started_seconds_ago), g.duration_milliseconds, g.status, g.answer, g.error
    from settled s
    join given g on g.organization_id = s.organization_id and g.id = s.id
), health as (
    select s.organization_id, s.webhook_id, bool_or(g.status between 200 and 299) as succeeded
    from settled s
    join given g on g.organization_id = s.organization_id and g.id = s.id
    group by s.organization_id, s.webhook_id
)
update webhooks w
set failing_since = case when h.succeeded then null else coalesce(w.failing_since, now()) end
from health h
where w.organization_id = h.organization_id and w.id = h.webhook_id
    and (w.failing_since is not null) = coalesce(h.succeeded, false)

-- name: disable
-- Why it was disabled is kept; its pending deliveries stay, and go out when it is enabled again.
update webhooks
set enabled = false, disabled_reason = $3, updated_at = now()
where organization_id = $1 and id = $2 and enabled
returning id

-- name: find_failing
-- crosses tenants: webhooks of any organisation that have done nothing but fail for days.
select organization_id, id from webhooks where enabled and failing_since < now() - $1::interval

-- name: count_pending
-- crosses tenants: how much of all organisations waits, for a metric.
select count(*) from webhook_deliveries where state = 'pending' and due_at <= now()

-- name: delete_old_deliveries
-- crosses tenants: housekeeping by age, bounded so that it never holds many locks.
delete from webhook_deliveries
where ctid = any (array(
    select ctid from webhook_deliveries
    where state <> 'pending' and settled_at < now() - $1::interval
    limit 1000 for update skip locked))
