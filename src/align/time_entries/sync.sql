-- name: sync_time_entries
-- Many requests, one statement, one transaction: link, entry, event and, with the header, the idempotency row.
-- One row comes back for each row that went in, in the same order. A refusal is an outcome, not an error, so that
-- one bad row never harms its neighbours. The order of the checks is decision 2 of the contract.
--
-- Callers never put the same pair or the same idempotency key twice into one statement. A row that loses a race
-- against another process comes back as `lost_race` (its snapshot is older than the winner's row): ask again.
-- A lost race for an idempotency key is an error instead (one_response_per_idempotency_key), since by then the
-- entry is inserted: the whole statement rolls back and its rows are asked one by one.
--
-- The connection forbids sequential scans, hash and merge joins (see writer.py), so every join below is an index
-- look-up per row whatever the statistics say. `(... in (select ...)) is true` makes PostgreSQL hash the small list.
with judged as materialized (
    select
        i.*,
        f.*,
        f.kept_body_digest <> i.body_digest as body_differs,
        array_remove(array[
            case when f.found_project_id is null then 'projectId' end,
            case when f.found_user_id is null then 'userId' end
        ], null) as missing,
        array_remove(array[
            case when f.user_role = 'client' and f.known_link_id is null then 'userId' end,
            case when i.ticket_id is not null and f.found_ticket_id is null then 'entryId' end
        ], null) as unfit,
        case
            when f.found_key_id is null or f.revoked_at is not null then 'key_revoked'
            -- Another secret than the key's own is the one before it, in the overlap of a rotation.
            when f.secret_number <> i.secret_number
                and (f.secret_number <> i.secret_number + 1 or f.previous_valid_until <= now()) then 'secret_replaced'
            when f.expires_at <= now() then 'key_expired'
            when f.creator_deactivated_at is not null then 'creator_deactivated'
            when f.creator_role = 'client' then 'role_violation'
            when f.kept_status is not null and f.strict and f.kept_body_digest <> i.body_digest
            then 'idempotency_key_reused'
            when f.kept_status is not null then 'replayed'
            when not f.features @> '{time_tracking}' then 'feature_disabled'
            when f.strict and i.has_unknown_members then 'unknown_field'
            when f.found_project_id is null or f.found_user_id is null then 'not_found'
            when i.ticket_id is not null and f.found_ticket_id is null then 'unfit'
            when f.known_deleted_at is not null then 'time_entry_deleted'
            -- A known pair is answered with its entry even where a new one would be refused:
            -- a blind repeat must not start to fail because a project was archived meanwhile.
            when f.known_link_id is not null then 'existing'
            when f.user_role = 'client' then 'unfit'
            when f.project_status = 'archived' then 'project_archived'
            when i.work_date <= f.locked_until then 'period_locked'
            else 'new'
        end as verdict
    from unnest(
        $1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::date[], $7::integer[], $8::boolean[],
        $9::text[], $10::text[], $11::text[], $12::text[], $13::boolean[], $14::uuid[], $15::uuid[], $16::uuid[],
        $17::text[], $18::bytea[], $19::integer[]
    ) with ordinality as i (
        organization_id, api_key_id, project_id, user_id, ticket_id, work_date, minutes, billable,
        description, source, external_id, external_metadata, has_unknown_members, id, link_id, event_id,
        idempotency_key, body_digest, secret_number, position
    )
    -- Lateral with a limit keeps the planner from merging the look-ups with the input: each row's keys are looked up,
    -- in full (it might else read all users of the organisation to find one), and the joins carry only what is found,
    -- not all of the input, which makes the statement quicker to start.
    cross join lateral (
        select
            k.id as found_key_id, k.revoked_at, k.secret_number, k.previous_valid_until, k.expires_at,
            k.created_by_user_id, c.role as creator_role, c.deactivated_at as creator_deactivated_at,
            o.features, o.strict, o.locked_until, p.id as found_project_id, p.status as project_status,
            u.id as found_user_id, u.role as user_role, t.id as found_ticket_id, l.id as known_link_id,
            r.status as kept_status, r.response as kept_response, r.location as kept_location,
            r.content_differs as kept_content_differs, r.body_digest as kept_body_digest,
            e.id as known_id, e.project_id as known_project_id, e.user_id as known_user_id,
            e.ticket_id as known_ticket_id, e.work_date as known_work_date, e.minutes as known_minutes,
            e.description as known_description, e.billable as known_billable, e.source as known_source,
            e.status as known_status, e.created_at as known_created_at, e.updated_at as known_updated_at,
            e.external_metadata as known_external_metadata, e.deleted_at as known_deleted_at
        from (values (i.organization_id)) as tenant (organization_id)
        left join api_keys k on k.organization_id = tenant.organization_id and k.id = i.api_key_id
        left join lateral (
            select c.role, c.deactivated_at
            from users c
            where c.organization_id = tenant.organization_id and c.id = k.created_by_user_id
            limit 1
        ) c on true
        left join organizations o on o.organization_id = tenant.organization_id
        left join projects p on p.organization_id = tenant.organization_id and p.id = i.project_id
        left join users u on u.organization_id = tenant.organization_id and u.id = i.user_id
        left join tickets t
            on t.organization_id = tenant.organization_id and t.project_id = i.project_id and t.id = i.ticket_id
        left join integration_links l
            on l.organization_id = tenant.organization_id and l.provider = i.source
            and l.external_type = 'time_entry' and l.external_id = i.external_id
        left join idempotency_keys r
            on r.organization_id = tenant.organization_id and r.api_key_id = i.api_key_id and r.method = 'POST'
            and r.path = $20 and r.key = i.idempotency_key and r.expires_at > now()
        left join lateral (
            select e.*
            from time_entries e
            where e.organization_id = tenant.organization_id and e.id = l.align_entity_id
            limit 1
        ) e on true
        limit 1
    ) f
), links as (
    insert into integration_links (
        organization_id, id, provider, external_type, external_id, align_entity_type, align_entity_id, created_at)
    select organization_id, link_id, source, 'time_entry', external_id, 'time_entry', id, now()
    from judged
    where verdict = 'new'
    order by organization_id, source, external_id  -- the same order everywhere, so that two statements can't deadlock
    on conflict on constraint one_entry_per_external_id do nothing
    returning id
), answers as materialized (
    select
        e.*,
        {{ entry_json }} as json,
        case when e.outcome = 'created' then '/api/v1/integration/time-entries/' || e.id end as location
    from (
        -- The entry that answers each accepted row: the one about to be stored, or the one that is there.
        select
            position, 'created' as outcome, api_key_id, created_by_user_id, event_id, link_id, idempotency_key,
            body_digest, body_differs, 201 as answer_status, null as content_differs,
            organization_id, id, project_id, user_id, ticket_id, work_date, minutes, description, billable, source,
            'draft' as status, external_metadata, now() as created_at, now() as updated_at
        from judged
        where verdict = 'new' and (link_id in (select id from links)) is true
        union all
        select
            position, 'existing', api_key_id, null, null, known_link_id, idempotency_key,
            body_digest, body_differs, 200,
            nullif(concat_ws(', ',
                case when known_project_id <> project_id then 'projectId' end,
                case when known_user_id <> user_id then 'userId' end,
                case when known_work_date <> work_date then 'workDate' end,
                case when known_minutes <> minutes then 'minutes' end,
                case when known_billable <> billable then 'billable' end,
                case when known_description is distinct from description then 'description' end,
                case when known_ticket_id is distinct from ticket_id then 'entryId' end,
                -- Spelling may differ between repeats (key order, 1.0 for 1.00); only the meaning counts.
                case
                    when known_external_metadata is not distinct from external_metadata then null
                    when known_external_metadata::jsonb is distinct from external_metadata::jsonb
                    then 'externalMetadata'
                end
            ), ''),
            organization_id, known_id, known_project_id, known_user_id, known_ticket_id, known_work_date,
            known_minutes, known_description, known_billable, known_source, known_status, known_external_metadata,
            known_created_at, known_updated_at
        from judged
        where verdict = 'existing'
    ) e
), stored as (
    insert into time_entries (
        organization_id, id, project_id, user_id, ticket_id, work_date, minutes, description, billable, source,
        status, external_metadata, created_at, updated_at)
    select
        organization_id, id, project_id, user_id, ticket_id, work_date, minutes, description, billable, source,
        status, external_metadata, created_at, updated_at
    from answers
    where outcome = 'created'
), recorded as (
    insert into events (
        organization_id, id, event_name, entity_type, entity_id, actor_user_id, actor_api_key_id, occurred_at, after,
        project_id)
    select
        organization_id, event_id, 'time.logged', 'time_entry', id, created_by_user_id, api_key_id, created_at,
        (json || '}')::json, project_id
    from answers
    where outcome = 'created'
), kept as (
    insert into idempotency_keys (
        organization_id, api_key_id, method, path, key, body_digest, status, response, location, content_differs,
        expires_at)
    select
        organization_id, api_key_id, 'POST', $20, idempotency_key, body_digest, answer_status,
        {{ sync_answer }}, location, content_differs, now() + interval '24 hours'
    from answers
    where idempotency_key is not null
    order by organization_id, api_key_id, idempotency_key
)
select
    position, outcome, answer_status as status, {{ sync_answer }} as response, location, content_differs,
    body_differs, null::text[] as fields
from answers
union all
select
    position, case verdict when 'new' then 'lost_race' else verdict end, kept_status, kept_response, kept_location,
    kept_content_differs, body_differs, 
    case verdict
        when 'not_found' then missing
        when 'unfit' then unfit
        when 'period_locked' then array[to_char(locked_until, 'YYYY-MM-DD')]
    end
from judged
where verdict <> 'existing' and (verdict <> 'new' or (link_id in (select id from links)) is not true)
order by position

-- name: judge_refused_body
-- A body that can't be read is refused only after what comes before it: key, role, replay, plan (decision 2).
select
    coalesce(o.strict, false) as strict,
    case
        when k.id is null or k.revoked_at is not null then 'key_revoked'
        when k.secret_number <> $6 and (k.secret_number <> $6 + 1 or k.previous_valid_until <= now())
        then 'secret_replaced'
        when k.expires_at <= now() then 'key_expired'
        when c.deactivated_at is not null then 'creator_deactivated'
        when c.role = 'client' then 'role_violation'
        when r.status is not null and o.strict and r.body_digest <> $4 then 'idempotency_key_reused'
        when r.status is not null then 'replayed'
        when not o.features @> '{time_tracking}' then 'feature_disabled'
        else 'unreadable'
    end as outcome,
    r.status, r.response, r.location, r.content_differs, r.body_digest <> $4 as body_differs
from (select $1::uuid as organization_id, $2::uuid as api_key_id) i
left join api_keys k on k.organization_id = i.organization_id and k.id = i.api_key_id
left join organizations o on o.organization_id = k.organization_id
left join users c on c.organization_id = k.organization_id and c.id = k.created_by_user_id
left join idempotency_keys r
    on r.organization_id = k.organization_id and r.api_key_id = k.id and r.method = 'POST'
    and r.path = $5 and r.key = $3 and r.expires_at > now()

-- name: forget_expired_response
-- An expired row that the clean-up has not reached yet would stand in the way of the key's next use.
delete from idempotency_keys
where organization_id = $1 and api_key_id = $2 and method = 'POST' and path = $3 and key = $4 and expires_at <= now()

-- name: delete_expired_responses
-- crosses tenants: housekeeping by age, bounded so that it never holds many locks.
delete from idempotency_keys where ctid = any (array(
    select ctid from idempotency_keys where expires_at <= now() limit 1000 for update skip locked))
