-- name: time_entries
-- As GET /time-entries/{id} has them; a test compares.
select e.id, {{ ../time_entries/entry_json }}
    || ',"externalMetadata":' || coalesce(e.external_metadata, 'null')
    || ',"integrationLinks":' || {{ ../time_entries/links_json }}
    || ',"statusReason":' || coalesce(to_json(e.status_reason)::text, 'null')
    || ',"invoiceReference":' || coalesce(to_json(e.invoice_reference)::text, 'null') || '}' as json
from time_entries e
where e.organization_id = $1 and e.id = any ($2::uuid[]) and e.deleted_at is null
    and ($3::uuid is null or e.project_id = $3)

-- name: projects
select {{ ../projects/project }}
from projects
where organization_id = $1 and id = any ($2::uuid[]) and ($3::uuid is null or id = $3)

-- name: tickets
select {{ ../tickets/ticket }}
from tickets
where organization_id = $1 and id = any ($2::uuid[]) and ($3::uuid is null or project_id = $3)

-- name: users
-- No project's own: a project's key is not told of users.
select {{ ../users/user }}
from users
where organization_id = $1 and id = any ($2::uuid[]) and $3::uuid is null

-- name: links
-- Whether the key may see a link was decided by its event, which names the project.
select {{ ../links/link }}
from integration_links
where organization_id = $1 and id = any ($2::uuid[]) and ($3::uuid is null or true)
    and align_entity_type in ('time_entry', 'ticket', 'project', 'user')
