-- name: get_locked_until
select locked_until from organizations where organization_id = $1

-- name: get_locked_until_for_change
select locked_until from organizations where organization_id = $1 for no key update

-- name: set_locked_until
update organizations set locked_until = $2, updated_at = statement_timestamp() where organization_id = $1

-- name: running_transactions
-- crosses tenants: one statement may carry the rows of several organisations; only names of transactions come back.
-- A transaction holds the lock of its own name from before its first snapshot until its end, and every user of the
-- database may see these locks (the times in pg_stat_activity are shown to the same user only).
select l.virtualtransaction
from pg_locks l
join pg_stat_activity a on a.pid = l.pid
where l.locktype = 'virtualxid' and l.mode = 'ExclusiveLock' and l.granted
    and a.datname = current_database() and a.application_name = $1
