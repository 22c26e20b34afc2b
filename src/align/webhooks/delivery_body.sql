-- The body of a delivery of the event `e` (contract, section 2): the same bytes for every attempt.
format(
    '{"id":"%s","eventName":%s,"schemaVersion":1,"entityType":%s,"entityId":"%s","occurredAt":"%s","actorUserId":%s,'
    '"payload":{"before":%s,"after":%s}}',
    e.id, to_json(e.event_name), to_json(e.entity_type), e.entity_id,
    to_char(e.occurred_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    coalesce('"' || e.actor_user_id || '"', 'null'),
    coalesce(e.before::text, 'null'), coalesce(e.after::text, 'null')
)
