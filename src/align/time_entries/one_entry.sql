-- name: find_entry
select e.project_id, e.version, {{ entry_json }}
    || ',"externalMetadata":' || coalesce(e.external_metadata, 'null')
    || ',"integrationLinks":' || {{ links_json }}
    || ',"statusReason":' || coalesce(to_json(e.status_reason)::text, 'null')
    || ',"invoiceReference":' || coalesce(to_json(e.invoice_reference)::text, 'null') || '}' as json
from time_entries e
where e.organization_id = $1 and e.id = $2 and e.deleted_at is null
