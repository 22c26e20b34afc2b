l.organization_id = $1
    and ($2::text is null or l.provider = $2)
    and ($3::text is null or l.external_type = $3)
    and ($4::text is null or l.external_id = $4)
    and ($5::text is null or l.align_entity_type = $5)
    and ($6::uuid is null or l.align_entity_id = $6)
    -- A deleted entry is a tombstone: its link is kept for late syncs and shown to nobody.
    and not exists (
        select from time_entries e
        where e.organization_id = l.organization_id and e.id = l.align_entity_id and e.deleted_at is not null)
    -- With $7, what belongs to that project.
    and ($7::uuid is null or $7 = case l.align_entity_type
        when 'project' then l.align_entity_id
        when 'ticket' then (
            select t.project_id from tickets t where t.organization_id = l.organization_id and t.id = l.align_entity_id)
        when 'time_entry' then (
            select e.project_id from time_entries e
            where e.organization_id = l.organization_id and e.id = l.align_entity_id)
    end)
