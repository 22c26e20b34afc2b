-- What lists and summaries take of an organisation's time entries `e`: $2 to $11, null where all are meant. The days
-- always bound the index time_entries_by_day. Deleted time entries are in none.
e.deleted_at is null and e.work_date between $2 and $3
    and ($4::uuid is null or e.project_id = $4)
    and ($5::uuid is null or e.user_id = $5)
    and ($6::uuid is null or e.ticket_id = $6)
    and ($7::text[] is null or e.status = any ($7))
    and ($8::boolean is null or e.billable = $8)
    and ($9::boolean is null or (e.status = 'invoiced') = $9)
    and ($10::text is null or e.source = $10)
    and ($11::timestamptz is null or e.updated_at >= $11)
