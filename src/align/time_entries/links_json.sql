-- The integration links of the time entry `e` as a JSON array.
(
    select coalesce('[' || string_agg(format(
        '{"id":"%s","organizationId":"%s","provider":%s,"externalType":%s,"externalId":%s,"alignEntityType":%s,'
        '"alignEntityId":"%s","createdAt":"%s"}',
        l.id, l.organization_id, to_json(l.provider), to_json(l.external_type), to_json(l.external_id),
        to_json(l.align_entity_type), l.align_entity_id,
        to_char(l.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
    ), ',' order by l.created_at, l.id) || ']', '[]')
    from integration_links l
    where l.organization_id = e.organization_id and l.align_entity_type = 'time_entry' and l.align_entity_id = e.id
)
