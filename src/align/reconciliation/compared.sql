l.external_id, e.id, e.deleted_at, to_char(e.work_date, 'YYYY-MM-DD') as work_date, e.minutes, e.project_id, e.user_id,
    e.ticket_id, e.billable, e.description, e.status
