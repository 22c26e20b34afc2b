-- Which events `e` the key may see and the query asks for.
(
    $2::uuid is null
    or e.project_id = $2
    -- An entry that left the project is its event, too.
    or (e.event_name = 'time.updated' and e.before ->> 'projectId' = $2::text)
)
and ($3::text is null or e.entity_type = $3)
and ($4::text is null or e.event_name = $4)
and ($5::uuid is null or e.entity_id = $5)
and ($6::uuid is null or e.actor_user_id = $6)
and ($7::timestamptz is null or e.occurred_at >= $7)
and ($8::timestamptz is null or e.occurred_at < $8)
