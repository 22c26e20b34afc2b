-- name: count_pending
-- crosses tenants: how much of all organisations waits, for a metric. What waits for a disabled webhook is no backlog.
select count(*)
from webhook_deliveries d
join webhooks w on w.organization_id = d.organization_id and w.id = d.webhook_id
where w.enabled and d.state = 'pending' and d.due_at <= now()

-- name: delete_old_deliveries
-- crosses tenants: housekeeping by age, bounded so that it never holds many locks.
delete from webhook_deliveries
where ctid = any (array(
    select ctid from webhook_deliveries
    where settled_at < now() - $1::interval
    order by settled_at limit $2 for update skip locked))

-- name: release_followers
-- crosses tenants: deliveries of any organisation that wait behind none any more. One that is handed over at the very
-- moment at which its predecessor is settled has not been told.
update webhook_deliveries d
set due_at = now()
where d.state = 'pending' and d.due_at > now() and d.lease is null and d.attempts = 0
    and not exists (
        select from webhook_deliveries earlier
        where earlier.queue = d.queue and earlier.settled_at is null
            and (earlier.feed_epoch, earlier.transaction_id, earlier.event_id)
                < (d.feed_epoch, d.transaction_id, d.event_id)
        offset 0
    )

-- name: pass_by
-- crosses tenants: organisations all of whose webhooks are disabled. What happens meanwhile is nobody's, and need not
-- be gone through when one is enabled again. Nothing is written where nothing happened.
with newest as materialized (
    select {{ current_epoch }} as epoch, pg_snapshot_xmin(pg_current_snapshot()) as horizon
)
update webhook_positions p
set feed_epoch = n.epoch, transaction_id = n.horizon, event_id = '00000000-0000-0000-0000-000000000000'
from newest n
where (p.feed_epoch, p.transaction_id) < (n.epoch, n.horizon)
    and not exists (select from webhooks w where w.organization_id = p.organization_id and w.enabled)
    and exists (
        select
        from events e
        where e.organization_id = p.organization_id
            and (e.feed_epoch, e.transaction_id, e.id) > (p.feed_epoch, p.transaction_id, p.event_id)
            and (e.feed_epoch, e.transaction_id) < (n.epoch, n.horizon))
