-- A time entry's wire form `json` as a line of CSV (RFC 4180), in the order of its members. Texts are quoted; one that
-- begins with = + - @ tab, line end or ' gets a ' in front, lest a spreadsheet takes it for a formula.
(
    select concat_ws(',', id, "organizationId", "projectId", "userId", coalesce("entryId", ''), "workDate", hours,
        minutes,
        coalesce('"' || case when notes ~ E'^[=+@\t\r\n''-]' then '''' else '' end
            || replace(notes, '"', '""') || '"', ''),
        billable,
        '"' || case when source ~ E'^[=+@\t\r\n''-]' then '''' else '' end || replace(source, '"', '""') || '"',
        status, invoiced, "createdAt", "updatedAt") || E'\r\n'
    from json_to_record(json::json) as wire (
        id text, "organizationId" text, "projectId" text, "userId" text, "entryId" text, "workDate" text, hours text,
        minutes text, notes text, billable text, source text, status text, invoiced text, "createdAt" text,
        "updatedAt" text)
)
