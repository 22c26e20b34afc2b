-- The foundation. organization_id leads every primary, unique and foreign key, so that every request
-- touches one tenant's rows only and the tables can be distributed by it when one machine is outgrown.
-- Constraints carry the rules and are named for them: errors are recognised by these names.
--
-- One index per look-up. While a table is empty, or every tenant in it has one row, the planner finds two indexes that
-- begin with organization_id equally good, and may choose the one that knows nothing but the organisation; the cached
-- plan then reads more and more as the tenant grows. So where a table has a second index that begins with
-- organization_id, that index is partial, and only queries that repeat its condition can use it.

create table organizations (
    organization_id uuid primary key,
    name text not null constraint organization_name_not_blank check (btrim(name) <> ''),
    features text[] not null default '{}',
    strict boolean not null default false,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create table users (
    organization_id uuid not null references organizations,
    id uuid not null,
    email text not null constraint user_email_has_an_at check (email like '%_@_%'),
    name text not null constraint user_name_not_blank check (btrim(name) <> ''),
    role text not null constraint user_role_known check (role in (
        'user', 'client', 'tester', 'developer', 'tech_lead', 'product_owner', 'devops_engineer', 'manager', 'admin')),
    deactivated_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (organization_id, id)
);
-- Every email has an @; the condition keeps look-ups by id off this index (see above).
create unique index one_user_per_email on users (organization_id, lower(email)) where email like '%@%';

create table projects (
    organization_id uuid not null references organizations,
    id uuid not null,
    name text not null constraint project_name_not_blank check (btrim(name) <> ''),
    status text not null default 'active' constraint project_status_known check (status in (
        'active', 'on_hold', 'completed', 'archived')),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (organization_id, id)
);

-- A ticket is called entry on the wire only (entryId).
create table tickets (
    organization_id uuid not null,
    project_id uuid not null,
    id uuid not null,
    title text not null constraint ticket_title_not_blank check (btrim(title) <> ''),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (organization_id, id),
    constraint ticket_of_one_project unique (organization_id, project_id, id),
    foreign key (organization_id, project_id) references projects (organization_id, id)
);

-- Only the digest of a key is stored. Finding a key by its digest is the one look-up that does not know the
-- organisation yet; its index is therefore not unique (160 random bits make it so).
create table api_keys (
    organization_id uuid not null references organizations,
    id uuid not null,
    name text not null constraint api_key_name_not_blank check (btrim(name) <> ''),
    prefix text not null,
    digest bytea not null constraint api_key_digest_is_sha256 check (length(digest) = 32),
    scope text not null constraint api_key_scope_known check (scope in ('organization', 'project')),
    scoped_project_id uuid,
    permissions text[],
    rate_limit_per_minute integer constraint api_key_rate_limit_positive check (rate_limit_per_minute > 0),
    created_by_user_id uuid not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz,
    primary key (organization_id, id),
    constraint project_keys_name_their_project check ((scope = 'project') = (scoped_project_id is not null)),
    foreign key (organization_id, created_by_user_id) references users (organization_id, id),
    foreign key (organization_id, scoped_project_id) references projects (organization_id, id)
);
create index api_keys_by_digest on api_keys (digest);

create table time_entries (
    organization_id uuid not null,
    id uuid not null,
    project_id uuid not null,
    user_id uuid not null,
    ticket_id uuid,
    work_date date not null
        constraint work_date_in_range check (work_date between '1970-01-01' and '2200-12-31'),
    minutes integer not null constraint minutes_of_one_day check (minutes between 1 and 1440),
    description text constraint description_of_2000_characters check (length(description) <= 2000),
    billable boolean not null,
    source text not null,
    status text not null default 'draft' constraint time_entry_status_known check (status in (
        'draft', 'submitted', 'approved', 'rejected', 'locked', 'invoiced')),
    -- json as text: it is returned exactly as it came, key order and number spelling included.
    external_metadata text,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    -- A tombstone: a late repeat of the sync must not bring back what a person removed.
    deleted_at timestamptz,
    primary key (organization_id, id),
    foreign key (organization_id, project_id) references projects (organization_id, id),
    foreign key (organization_id, user_id) references users (organization_id, id),
    constraint ticket_belongs_to_project foreign key (organization_id, project_id, ticket_id)
        references tickets (organization_id, project_id, id)
);

create table integration_links (
    organization_id uuid not null,
    id uuid not null,
    provider text not null,
    external_type text not null,
    external_id text not null,
    align_entity_type text not null constraint align_entity_type_known check (
        align_entity_type in ('time_entry', 'ticket', 'project', 'user')),
    align_entity_id uuid not null,
    created_at timestamptz not null,
    -- Exactly once: the guarantee this product exists for.
    constraint one_entry_per_external_id primary key (organization_id, provider, external_type, external_id)
);
-- The conditions hold for every row; they keep the sync's look-up off these indexes (see above).
create unique index integration_links_by_id on integration_links (organization_id, id)
    where align_entity_type in ('time_entry', 'ticket', 'project', 'user');
create index integration_links_by_entity on integration_links (organization_id, align_entity_id)
    where align_entity_type in ('time_entry', 'ticket', 'project', 'user');

-- Append-only. A row is written in the transaction of every change: audit log, webhook outbox and change feed in one.
create table events (
    organization_id uuid not null,
    id uuid not null,
    event_name text not null,
    entity_type text not null,
    entity_id uuid not null,
    actor_user_id uuid,
    actor_api_key_id uuid,
    occurred_at timestamptz not null,
    before json,
    after json,
    primary key (organization_id, id)
);

-- Only 2xx answers are kept, each committed together with its effect.
create table idempotency_keys (
    organization_id uuid not null,
    api_key_id uuid not null,
    method text not null,
    path text not null,
    key text not null,
    body_digest bytea not null,
    status smallint not null constraint only_successes_are_kept check (status between 200 and 299),
    response text not null,
    location text,
    content_differs text,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    constraint one_response_per_idempotency_key primary key (organization_id, api_key_id, method, path, key)
);
-- For the clean-up alone: rows lie in the order of their expiry, and the sync's look-up can't use this kind.
create index idempotency_keys_by_expiry on idempotency_keys using brin (expires_at);
