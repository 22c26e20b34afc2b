-- name: read_changes
-- In the order of feed_epoch, transaction_id, id; up to the oldest transaction that still runs, since what is beyond it
-- may get company before it: $5 is the newest epoch, and no event has a later one. At most $9 events are looked at.
-- One statement, so one snapshot, for the events, for what is deleted, and for where the reader stands.
with reader as (
    select
        -- At an event that is there, or at the last one that was deleted, or at the start of what was never cut.
        exists (
            select from events e
            where e.organization_id = o.organization_id
                and e.feed_epoch = $2 and e.transaction_id = $3 and e.id = $4
        )
        or coalesce($2 = o.events_deleted_through_epoch and $3 = o.events_deleted_through
            and $4 = o.events_deleted_through_id, false)
        or ($2 = 0 and o.events_deleted_through_epoch is null) as is_known
    from organizations o
    where o.organization_id = $1
), scanned as materialized (
    select
        e.feed_epoch, e.transaction_id, e.id, e.entity_type,
        -- An entry that left the project is its event, too.
        e.project_id = $7 or (e.event_name = 'time.updated' and e.before ->> 'projectId' = $7::text) as is_of_project
    from events e
    where e.organization_id = $1
        and (e.feed_epoch, e.transaction_id, e.id) > ($2::integer, $3::xid8, $4::uuid)
        and (e.feed_epoch, e.transaction_id) < ($5::integer, pg_snapshot_xmin(pg_current_snapshot()))
    order by e.feed_epoch, e.transaction_id, e.id
    limit $9
), farthest as (
    select count(*) over () as scanned, feed_epoch, transaction_id, id
    from scanned
    order by feed_epoch desc, transaction_id desc, id desc
    limit 1
), page as (
    select feed_epoch, transaction_id, id
    from scanned
    where ($6::text[] is null or entity_type = any ($6)) and ($7::uuid is null or is_of_project)
    order by feed_epoch, transaction_id, id
    limit $8
)
select
    r.is_known, coalesce(f.scanned, 0) as scanned,
    f.feed_epoch as farthest_epoch, f.transaction_id as farthest_transaction_id, f.id as farthest_id,
    p.feed_epoch, p.transaction_id, p.id, e.event_name, e.entity_type, e.entity_id, e.occurred_at, e.actor_user_id,
    e.actor_api_key_id, e.before, e.after, e.project_id
from reader r
left join farthest f on true
left join page p on true
left join events e
    on e.organization_id = $1 and e.feed_epoch = p.feed_epoch and e.transaction_id = p.transaction_id and e.id = p.id
order by p.feed_epoch, p.transaction_id, p.id

-- name: latest_position
-- The last event that a reader could have been given now, or the last deleted one.
select newest.*
from (
    (
        select e.feed_epoch, e.transaction_id, e.id
        from events e
        where e.organization_id = $1
            and (e.feed_epoch, e.transaction_id) < ($2::integer, pg_snapshot_xmin(pg_current_snapshot()))
        order by e.feed_epoch desc, e.transaction_id desc, e.id desc
        limit 1
    )
    union all
    select o.events_deleted_through_epoch, o.events_deleted_through, o.events_deleted_through_id
    from organizations o
    where o.organization_id = $1 and o.events_deleted_through_epoch is not null
) newest
order by newest.feed_epoch desc, newest.transaction_id desc, newest.id desc
limit 1
