-- name: oldest_writer
-- crosses tenants: reads none; transactions of the whole cluster hold the feed back.
-- When the oldest transaction that has written something began, where the role may know that.
select
    pg_snapshot_xmin(pg_current_snapshot()) as horizon,
    count(*) > 0 as is_held,
    greatest(0, coalesce(extract(epoch from clock_timestamp() - min(w.began_at)), 0))::float8 as seconds
from (
    select xact_start as began_at from pg_stat_activity where backend_xid is not null
    union all
    select prepared from pg_prepared_xacts
) w

-- name: organizations_with_old_events
-- crosses tenants: housekeeping by age. The first event that is kept of each organisation is looked at.
select o.organization_id
from organizations o
cross join lateral (
    select e.occurred_at
    from events e
    where e.organization_id = o.organization_id
        and (e.feed_epoch, e.transaction_id, e.id) > (
            coalesce(o.events_deleted_through_epoch, 0), coalesce(o.events_deleted_through, '0'),
            coalesce(o.events_deleted_through_id, '00000000-0000-0000-0000-000000000000'))
    order by e.feed_epoch, e.transaction_id, e.id
    limit 1
) first
where first.occurred_at < now() - make_interval(days => $1)

-- name: delete_old_events
-- Of one organisation, in the order of the feed: up to the first event that is not old, or that a reader could not have
-- been given yet since an older transaction still runs. How far is noted with it, for those who stand before.
with candidates as (
    select
        e.feed_epoch, e.transaction_id, e.id,
        bool_and(e.occurred_at < now() - make_interval(days => $2))
            over (order by e.feed_epoch, e.transaction_id, e.id) as is_old
    from (
        select e.feed_epoch, e.transaction_id, e.id, e.occurred_at
        from organizations o
        join events e
            on e.organization_id = o.organization_id
            and (e.feed_epoch, e.transaction_id, e.id) > (
                coalesce(o.events_deleted_through_epoch, 0), coalesce(o.events_deleted_through, '0'),
                coalesce(o.events_deleted_through_id, '00000000-0000-0000-0000-000000000000'))
        where o.organization_id = $1
            and (e.feed_epoch, e.transaction_id) < (
                (select max(epoch) from feed_epochs), pg_snapshot_xmin(pg_current_snapshot()))
            -- Nor is one deleted that is still to be handed over to a webhook.
            and not exists (
                select
                from webhook_positions p
                join webhooks w on w.organization_id = p.organization_id and w.enabled
                where p.organization_id = $1
                    and (p.feed_epoch, p.transaction_id, p.event_id) < (e.feed_epoch, e.transaction_id, e.id))
        order by e.feed_epoch, e.transaction_id, e.id
        limit $3
    ) e
), deleted as (
    delete from events e
    using candidates c
    where c.is_old and e.organization_id = $1
        and e.feed_epoch = c.feed_epoch and e.transaction_id = c.transaction_id and e.id = c.id
    returning e.feed_epoch, e.transaction_id, e.id
), last_deleted as (
    select count(*) over () as deleted, feed_epoch, transaction_id, id
    from deleted
    order by feed_epoch desc, transaction_id desc, id desc
    limit 1
)
update organizations o
set events_deleted_through_epoch = l.feed_epoch, events_deleted_through = l.transaction_id,
    events_deleted_through_id = l.id
from last_deleted l
where o.organization_id = $1
returning l.deleted
