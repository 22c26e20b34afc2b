from time_entries e
-- An entry's links, looked up by the entry. `offset 0` keeps the conditions on provider and type out of here: a planner
-- without statistics takes the index that begins with them for better, and would read all links for every entry.
cross join lateral (
    select l.provider, l.external_type, l.external_id
    from integration_links l
    where l.organization_id = e.organization_id and l.align_entity_type = 'time_entry' and l.align_entity_id = e.id
    offset 0
) l
