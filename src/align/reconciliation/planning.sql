-- name: forbid_scans
-- crosses tenants: reads none.
-- A year of a large organisation is much of a table, and the planner would rather read all of it, other tenants' rows
-- too. Compiling takes longer than these statements do.
set local enable_seqscan = off; set local jit = off
