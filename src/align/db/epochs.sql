-- name: newest_epoch
-- crosses tenants: an epoch belongs to the database.
select epoch, id, cluster = {{ identity }} as is_here
from feed_epochs
order by epoch desc
limit 1

-- name: begin_epoch_if_elsewhere
-- crosses tenants: an epoch belongs to the database.
-- The table's lock waits for all who write events, so none of the old epoch is under way once the new one has begun.
-- Who writes waits behind it in turn: hence not for long.
do $$
declare
    here text;
    newest feed_epochs%rowtype;
begin
    perform set_config('lock_timeout', '2s', true);
    perform pg_advisory_xact_lock(4170211002);
    here := {{ identity }};
    select * into newest from feed_epochs order by epoch desc limit 1;
    if newest.cluster is distinct from here then
        insert into feed_epochs (epoch, cluster) values (coalesce(newest.epoch, 0) + 1, here);
        execute format('alter table events alter column feed_epoch set default %s', coalesce(newest.epoch, 0) + 1);
    end if;
end $$
