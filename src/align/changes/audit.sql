-- name: plan_by_index
-- crosses tenants: reads none. Where one organisation has most of all events, the planner would rather read the whole
-- table than the organisation's part of the primary key; then the time a list takes grows with everybody else's events.
set local enable_seqscan = off

-- name: count_events
select count(*) from events e where e.organization_id = $1 and {{ audit_filter }}

-- name: list_events
-- Newest first, in the order of the primary key read backwards. The names are those of today, for events that hold none.
select
    e.id, e.event_name, e.entity_type, e.entity_id, e.actor_user_id, e.actor_api_key_id, e.occurred_at, e.before,
    e.after, e.project_id,
    case e.entity_type
        when 'organization' then (
            select x.name from organizations x where x.organization_id = e.organization_id)
        when 'project' then (
            select x.name from projects x where x.organization_id = e.organization_id and x.id = e.entity_id)
        when 'user' then (
            select x.name from users x where x.organization_id = e.organization_id and x.id = e.entity_id)
        when 'ticket' then (
            select x.title from tickets x where x.organization_id = e.organization_id and x.id = e.entity_id)
        when 'api_key' then (
            select x.name from api_keys x where x.organization_id = e.organization_id and x.id = e.entity_id)
        when 'time_entry' then (
            select x.description
            from time_entries x
            where x.organization_id = e.organization_id and x.id = e.entity_id
                and ($2::uuid is null or x.project_id = $2)
        )
    end as current_name
from (
    select e.*
    from events e
    where e.organization_id = $1 and {{ audit_filter }}
    order by e.feed_epoch desc, e.transaction_id desc, e.id desc
    limit $9 offset $10
) e
order by e.feed_epoch desc, e.transaction_id desc, e.id desc
