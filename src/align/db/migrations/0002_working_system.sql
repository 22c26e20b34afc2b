-- What the API around the sync stands on: memberships, references, period locks, rotation of keys, the change feed.

alter table organizations
    -- Nothing dated on or before this day is created, changed or deleted.
    add column locked_until date,
    -- Where the kept part of the change feed begins: what lies at or before it was deleted by retention.
    add column events_deleted_through_epoch integer,
    add column events_deleted_through xid8,
    -- The last deleted event: who has read it has missed nothing.
    add column events_deleted_through_id uuid;

alter table users
    -- json as text, as the inviting system sent it.
    add column metadata text;

alter table tickets
    add column status text not null default 'open' constraint ticket_status_known check (status in ('open', 'closed'));

alter table idempotency_keys
    -- A replay carries the ETag of its first answer.
    add column etag text;

create table project_members (
    organization_id uuid not null,
    -- What its events name.
    id uuid not null default gen_random_uuid(),
    project_id uuid not null,
    user_id uuid not null,
    created_at timestamptz not null default now(),
    primary key (organization_id, project_id, user_id),
    foreign key (organization_id, project_id) references projects (organization_id, id),
    foreign key (organization_id, user_id) references users (organization_id, id)
);

alter table api_keys
    -- A key with a source binding syncs only as this externalSystem.
    add column source_binding text,
    -- After a rotation the old secret, the number before, stays valid for an overlap.
    add column secret_number integer not null default 1,
    add column previous_digest bytea
        constraint api_key_previous_digest_is_sha256 check (length(previous_digest) = 32),
    add column previous_valid_until timestamptz,
    add constraint previous_secrets_end check ((previous_digest is null) = (previous_valid_until is null));
create index api_keys_by_previous_digest on api_keys (previous_digest) where previous_digest is not null;

alter table time_entries
    -- Counts the changes of the row: its ETag.
    add column version integer not null default 1,
    -- Why it was rejected or unlocked, the last time.
    add column status_reason text,
    -- The invoice it is on.
    add column invoice_reference text;
-- For lists, summaries and checksums by day. Deleted entries are not in them; the condition also keeps the sync's
-- look-up by id off this index (see 0001).
create index time_entries_by_day on time_entries (organization_id, work_date, id) where deleted_at is null;
-- Deleted entries are few. Lists of links leave theirs out.
create index time_entries_deleted on time_entries (organization_id, id) where deleted_at is not null;

-- A sync finds its entry through this type, so nothing else may be linked as one.
alter table integration_links
    add constraint time_entry_links_name_time_entries
        check (external_type <> 'time_entry' or align_entity_type = 'time_entry');

-- The change feed reads events in the order of their transactions, and only those of transactions older than all that
-- still run: so it never passes by one that commits late. Transaction ids begin anew in another database cluster, so
-- each event says in which epoch its id was given; a new epoch begins by changing the column's default, which costs
-- the sync path nothing. See docs/decisions.
create table feed_epochs (
    epoch integer primary key,
    id uuid not null default gen_random_uuid(),
    cluster text not null,
    started_at timestamptz not null default now()
);

alter table events
    drop constraint events_pkey,
    add column feed_epoch integer not null default 1,
    add column transaction_id xid8 not null default pg_current_xact_id(),
    -- The project it belongs to, if any: what a project's key may see.
    add column project_id uuid,
    add primary key (organization_id, feed_epoch, transaction_id, id);
