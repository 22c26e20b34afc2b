-- name: lock_entry
-- Changes, transitions and deletions of one time entry run one after the other.
select
    e.project_id, e.user_id, e.ticket_id, e.work_date, e.minutes, e.description, e.billable, e.status, e.version,
    {{ entry_json }} || '}' as json
from time_entries e
where e.organization_id = $1 and e.id = $2 and e.deleted_at is null
for no key update

-- name: update_entry
-- The time of the statement: that of the transaction may lie before the change that this one waited for.
update time_entries e
set project_id = $3, user_id = $4, ticket_id = $5, work_date = $6, minutes = $7, description = $8, billable = $9,
    version = e.version + 1, updated_at = statement_timestamp()
where e.organization_id = $1 and e.id = $2
returning {{ entry_json }} || '}' as json

-- name: delete_entry
update time_entries
set deleted_at = statement_timestamp(), updated_at = statement_timestamp(), version = version + 1
where organization_id = $1 and id = $2
