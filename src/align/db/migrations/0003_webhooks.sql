-- Webhooks: subscriptions, what is to be delivered, and every attempt. docs/receivers-guide.md says what is promised.

create table webhooks (
    organization_id uuid not null references organizations,
    id uuid not null,
    destination_url text not null,
    event_names text[] not null constraint webhook_names_events check (cardinality(event_names) > 0),
    description text,
    enabled boolean not null default true,
    -- Why it is disabled, where nobody asked for it: 'gone' (it answered 410) or 'failing' (for days on end).
    disabled_reason text,
    -- Encrypted with ALIGN_SECRET_KEY; after a rotation the previous secret signs too, for an overlap.
    sealed_secret bytea not null,
    sealed_previous_secret bytea,
    previous_secret_valid_until timestamptz,
    -- Since when there have been nothing but failures.
    failing_since timestamptz,
    -- Events of older transactions are not its business.
    from_epoch integer not null,
    from_transaction_id xid8 not null,
    created_by_user_id uuid not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (organization_id, id),
    foreign key (organization_id, created_by_user_id) references users (organization_id, id)
);

-- How far an organisation's events were handed to its webhooks, in the order of the change feed.
create table webhook_positions (
    organization_id uuid primary key references organizations,
    feed_epoch integer not null,
    transaction_id xid8 not null,
    event_id uuid not null
);

create table webhook_deliveries (
    organization_id uuid not null,
    -- The header webhook-id: the same for every attempt.
    id uuid not null,
    webhook_id uuid not null,
    event_id uuid not null,
    event_name text not null,
    entity_id uuid not null,
    -- One value for the webhook and the entity, which its index alone begins with: so that no plan, made when hardly
    -- anything was pending, looks for a predecessor among all that is.
    queue uuid not null generated always as (md5(webhook_id::text || entity_id::text)::uuid) stored,
    -- The place of the event in the change feed: deliveries about one entity go out in this order.
    feed_epoch integer not null,
    transaction_id xid8 not null,
    -- The bytes that are sent and signed, the same for every attempt.
    body text not null,
    state text not null default 'pending' constraint webhook_delivery_state_known check (state in (
        'pending', 'delivered', 'failed')),
    -- Attempts that were settled since it was queued; which wait of the schedule is next.
    attempts integer not null default 0,
    -- When it is due; while it is sent: when its lease ends, after which another worker may send it.
    due_at timestamptz not null default now(),
    lease uuid,
    created_at timestamptz not null default now(),
    settled_at timestamptz,
    primary key (organization_id, id),
    constraint webhook_delivery_settled_when_not_pending check ((state = 'pending') = (settled_at is null)),
    -- At most one delivery for a webhook and an event, however often it is handed over.
    constraint one_delivery_per_event unique (organization_id, webhook_id, event_id),
    foreign key (organization_id, webhook_id) references webhooks (organization_id, id) on delete cascade
);
create index webhook_deliveries_due on webhook_deliveries (webhook_id, due_at) where state = 'pending';
-- For the clean-up by age.
create index webhook_deliveries_settled on webhook_deliveries (settled_at) where settled_at is not null;
-- The two conditions mean the same, but let no plan take the one index for the other.
create index webhook_deliveries_in_order
    on webhook_deliveries (queue, feed_epoch, transaction_id, event_id)
    where settled_at is null;

create table webhook_attempts (
    organization_id uuid not null,
    delivery_id uuid not null,
    number integer not null,
    attempted_at timestamptz not null,
    duration_milliseconds integer not null,
    -- The receiver's answer: its status and the beginning of its body; or why there is none.
    status integer,
    answer text,
    error text,
    primary key (organization_id, delivery_id, number),
    foreign key (organization_id, delivery_id) references webhook_deliveries (organization_id, id) on delete cascade
);
