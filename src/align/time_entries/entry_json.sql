-- The wire form of the time entry `e` (section 1 of the contract), without the closing brace.
-- Hours are the nearest quarter of minutes / 60, at least 0.25: a quarter is 15 minutes.
format(
    '{"id":"%s","organizationId":"%s","projectId":"%s","userId":"%s","entryId":%s,"workDate":"%s","hours":"%s.%s",'
    '"minutes":%s,"notes":%s,"billable":%s,"source":%s,"status":"%s","invoiced":%s,"createdAt":"%s","updatedAt":"%s"',
    e.id, e.organization_id, e.project_id, e.user_id, coalesce('"' || e.ticket_id || '"', 'null'),
    to_char(e.work_date, 'YYYY-MM-DD'),
    greatest(1, (2 * e.minutes + 15) / 30) / 4,
    (array['0', '25', '5', '75'])[greatest(1, (2 * e.minutes + 15) / 30) % 4 + 1],
    e.minutes, coalesce(to_json(e.description)::text, 'null'), e.billable::text, to_json(e.source), e.status,
    (e.status = 'invoiced')::text,
    to_char(e.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    to_char(e.updated_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
)
