-- name: sum_entries
-- Sums of minutes by one or two keys ($12, $13), and of all of them (the row without keys). Names are looked up once
-- for each group.
with chosen as (
    select
        e.minutes, e.billable,
        case $12::text
            when 'project' then e.project_id::text
            when 'user' then e.user_id::text
            when 'entry' then e.ticket_id::text
            when 'source' then e.source
            when 'status' then e.status
            when 'day' then to_char(e.work_date, 'YYYY-MM-DD')
            when 'week' then to_char(e.work_date, 'IYYY-"W"IW')
            when 'month' then to_char(e.work_date, 'YYYY-MM')
        end as first_key,
        case $13::text
            when 'project' then e.project_id::text
            when 'user' then e.user_id::text
            when 'entry' then e.ticket_id::text
            when 'source' then e.source
            when 'status' then e.status
            when 'day' then to_char(e.work_date, 'YYYY-MM-DD')
            when 'week' then to_char(e.work_date, 'IYYY-"W"IW')
            when 'month' then to_char(e.work_date, 'YYYY-MM')
        end as second_key
    from time_entries e
    where e.organization_id = $1 and {{ filters }}
), sums as (
    select
        grouping(first_key) = 1 as is_total, first_key, second_key,
        coalesce(sum(minutes), 0) as minutes,
        coalesce(sum(minutes) filter (where billable), 0) as billable_minutes,
        count(*) as entries, count(*) filter (where billable) as billable_entries
    from chosen
    group by grouping sets ((first_key, second_key), ())
), named as (
    select
        s.*,
        case $12::text when 'project' then p1.name when 'user' then u1.name when 'entry' then t1.title end as first_name,
        case $13::text when 'project' then p2.name when 'user' then u2.name when 'entry' then t2.title end as second_name
    from sums s
    left join projects p1
        on p1.organization_id = $1 and p1.id = case when $12::text = 'project' then s.first_key::uuid end
    left join users u1 on u1.organization_id = $1 and u1.id = case when $12::text = 'user' then s.first_key::uuid end
    left join tickets t1
        on t1.organization_id = $1 and t1.id = case when $12::text = 'entry' then s.first_key::uuid end
    left join projects p2
        on p2.organization_id = $1 and p2.id = case when $13::text = 'project' then s.second_key::uuid end
    left join users u2 on u2.organization_id = $1 and u2.id = case when $13::text = 'user' then s.second_key::uuid end
    left join tickets t2
        on t2.organization_id = $1 and t2.id = case when $13::text = 'entry' then s.second_key::uuid end
)
select * from named
order by is_total desc, lower(first_name), first_key, lower(second_name), second_key
limit $14
