-- Which history this is: of which cluster, on which timeline of it (a promoted standby and a recovery to a point in
-- time begin new ones), in which database, and since when the table is there (a dump may be restored over it).
(select system_identifier from pg_control_system())::text
    || '/' || left(pg_walfile_name(pg_current_wal_lsn()), 8)
    || '/' || (select oid from pg_database where datname = current_database())
    || '/' || 'events'::regclass::oid
