-- name: lock_time_entries
-- In the order of their ids, the same everywhere, so that two changes can't deadlock; a row that another transaction
-- has just changed is read as it is after that. Deleted ones come too: a condition on deleted_at would let the planner
-- choose the index of days (see 0001).
select
    id, project_id, work_date, status, version, status_reason, invoice_reference, deleted_at is not null as deleted
from time_entries
where organization_id = $1 and id = any ($2::uuid[])
order by id
for no key update

-- name: move_time_entries
-- All of them and their events with one statement. The time is the statement's, not the transaction's: a change that
-- waited for its turn happened after it.
with moved as (
    update time_entries e
    set status = $3, status_reason = new.status_reason, invoice_reference = new.invoice_reference,
        version = e.version + 1, updated_at = statement_timestamp()
    from unnest($2::uuid[], $4::text[], $5::text[]) as new (id, status_reason, invoice_reference)
    -- The list again, since the planner would rather read the whole table than join a thousand ids to it.
    where e.organization_id = $1 and e.id = any ($2::uuid[]) and e.id = new.id
    returning e.*
), recorded as (
    insert into events (
        organization_id, id, event_name, entity_type, entity_id, actor_user_id, actor_api_key_id, occurred_at, before,
        after, project_id)
    select
        $1, event.id, $6, 'time_entry', m.id, $7, $8, m.updated_at, event.before::json, event.after::json, m.project_id
    from unnest($2::uuid[], $9::uuid[], $10::text[], $11::text[]) as event (entity_id, id, before, after)
    join moved m on m.id = event.entity_id
)
select
    e.id, e.version,
    {{ entry_json }}
    || ',"statusReason":' || coalesce(to_json(e.status_reason)::text, 'null')
    || ',"invoiceReference":' || coalesce(to_json(e.invoice_reference)::text, 'null') || '}' as json
from moved e
