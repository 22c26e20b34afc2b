-- name: find_references
-- What a time entry names, as far as it exists: the ticket must be of the project.
select p.status as project_status, u.role as user_role, t.id is not null as has_ticket
from (values ($1::uuid)) as tenant (organization_id)
left join projects p on p.organization_id = tenant.organization_id and p.id = $2
left join users u on u.organization_id = tenant.organization_id and u.id = $3
left join tickets t
    on t.organization_id = tenant.organization_id and t.project_id = $2 and t.id = $4::uuid
