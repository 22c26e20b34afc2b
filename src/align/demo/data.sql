-- name: wait_for_other_demos
-- crosses tenants: a lock and no rows; the demo's data are made by one process at a time.
select pg_advisory_xact_lock($1)
