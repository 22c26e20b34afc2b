-- name: hand_over
-- crosses tenants: each organisation's events go to its own webhooks; the positions of all are advanced together.
-- The next events of every organisation that has webhooks, in the order of the change feed: only those of transactions
-- older than all that still run, so none that commits late is passed by. Deliveries and position are one transaction,
-- and one process at a time advances an organisation: each event is handed over once.
with newest as materialized (
    select {{ current_epoch }} as epoch, pg_snapshot_xmin(pg_current_snapshot()) as horizon
), behind as materialized (
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
                and (e.feed_epoch, e.transaction_id) < ((select epoch from newest), (select horizon from newest)))
    for update of p skip locked
), next_events as materialized (
    select e.*
    from behind b
    cross join lateral (
        select e.*
        from events e
        where e.organization_id = b.organization_id
            and (e.feed_epoch, e.transaction_id, e.id) > (b.feed_epoch, b.transaction_id, b.event_id)
            and (e.feed_epoch, e.transaction_id) < ((select epoch from newest), (select horizon from newest))
        order by e.feed_epoch, e.transaction_id, e.id
        limit $1
    ) e
), handed as (
    insert into webhook_deliveries (
        organization_id, id, webhook_id, event_id, event_name, entity_id, feed_epoch, transaction_id, body, due_at)
    select
        e.organization_id, gen_random_uuid(), w.id, e.id, e.event_name, e.entity_id, e.feed_epoch, e.transaction_id,
        {{ delivery_body }},
        -- Behind one that waits to be tried again it waits as long: see settle.
        greatest(now(), (
            select max(d.due_at)
            from webhook_deliveries d
            where d.queue = md5(w.id::text || e.entity_id::text)::uuid and d.settled_at is null and d.lease is null))
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
    select d.ctid
    from (
        select
            w.id,
            -- One that fails gets little room, so that many of them leave enough to the others.
            greatest(
                0, case when w.failing_since is null then $3::integer else $4::integer end - coalesce(f.in_flight, 0)
            ) as room
        from webhooks w
        left join unnest($1::uuid[], $2::integer[]) as f (webhook_id, in_flight) on f.webhook_id = w.id
        where w.enabled
        order by random()  -- where there is not room for all, none is always the last
    ) w
    cross join lateral (
        select d.ctid
        from webhook_deliveries d
        where d.webhook_id = w.id and d.state = 'pending' and d.due_at <= now()
            and not exists (
                select from webhook_deliveries earlier
                where earlier.queue = d.queue and earlier.settled_at is null
                    and (earlier.feed_epoch, earlier.transaction_id, earlier.event_id)
                        < (d.feed_epoch, d.transaction_id, d.event_id)
                offset 0  -- looked up for each, never joined: a plan that expects few would read all for each
            )
        order by d.due_at
        limit w.room
        for update skip locked
    ) d
    limit $5
), claimed as (
    update webhook_deliveries d
    set due_at = now() + make_interval(secs => $6), lease = $7
    where d.ctid = any (array(select ctid from due))
    returning d.*
)
select
    c.organization_id, c.id, c.webhook_id, c.body, c.attempts, c.lease, c.created_at, w.destination_url,
    w.sealed_secret, case when w.previous_secret_valid_until > now() then w.sealed_previous_secret end as sealed_previous
from claimed c
join webhooks w on w.organization_id = c.organization_id and w.id = c.webhook_id

-- name: settle
-- crosses tenants: what came of a worker's attempts, each in its own organisation. A lease that was lost settles nothing.
-- Returns the webhooks that are to be disabled for it.
with given as (
    select *
    from unnest(
        $1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::float8[], $6::float8[], $7::integer[], $8::integer[],
        $9::text[], $10::text[]
    ) as g (organization_id, id, lease, state, wait_seconds, started_seconds_ago, duration_milliseconds, status, answer,
        error)
), settled as (
    update webhook_deliveries d
    set state = g.state, lease = null, attempts = d.attempts + 1,
        due_at = case when g.state = 'pending' then now() + make_interval(secs => g.wait_seconds) else now() end,
        settled_at = case when g.state <> 'pending' then now() end
    from given g
    where d.organization_id = g.organization_id and d.id = g.id and d.lease = g.lease
    returning d.organization_id, d.id, d.webhook_id, d.queue, d.feed_epoch, d.transaction_id, d.event_id, d.state,
        d.due_at
), followers as (
    -- Later ones about the entity wait as long, so that no claim has to pass them by, and are due when this is settled.
    update webhook_deliveries f
    set due_at = l.due_at
    from (
        select later.place, s.due_at
        from settled s
        cross join lateral (
            select f.ctid as place
            from webhook_deliveries f
            where f.queue = s.queue and f.settled_at is null and f.lease is null and f.attempts = 0
                and (f.feed_epoch, f.transaction_id, f.event_id) > (s.feed_epoch, s.transaction_id, s.event_id)
                and (case when s.state = 'pending' then f.due_at < s.due_at else f.due_at > s.due_at end)
            offset 0
        ) later
    ) l
    where f.ctid = l.place
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
), health as materialized (
    select
        s.organization_id, s.webhook_id, coalesce(bool_or(s.state = 'delivered'), false) as succeeded,
        coalesce(bool_or(g.status = 410), false) as is_gone
    from settled s
    join given g on g.organization_id = s.organization_id and g.id = s.id
    group by s.organization_id, s.webhook_id
), noticed as (
    update webhooks w
    set failing_since = case when h.succeeded then null else now() end
    from health h
    where w.organization_id = h.organization_id and w.id = h.webhook_id
        and (w.failing_since is not null) = h.succeeded
)
select w.organization_id, w.id, case when h.is_gone then 'gone' else 'failing' end as reason
from health h
join webhooks w on w.organization_id = h.organization_id and w.id = h.webhook_id
where w.enabled and (h.is_gone or not h.succeeded and w.failing_since < now() - $11::interval)

-- name: disable
-- Why it was disabled is kept; its pending deliveries stay, and go out when it is enabled again.
update webhooks
set enabled = false, disabled_reason = $3, updated_at = now()
where organization_id = $1 and id = $2 and enabled
returning id

