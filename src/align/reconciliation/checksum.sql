-- name: checksum
-- The group without a key is the whole. In "C", text is ordered by its bytes, which are UTF-8 here.
with found as (
    select
        case $5::text
            when 'day' then to_char(e.work_date, 'YYYY-MM-DD')
            when 'project' then e.project_id::text
            else e.user_id::text
        end as key,
        e.minutes,
        l.external_id,
        concat(
            l.external_id, e'\t', e.minutes, e'\t', to_char(e.work_date, 'YYYY-MM-DD'),
            case when $6::boolean then e'\t' || e.status end, e'\n'
        ) as line
    {{ of_period }}
    where e.organization_id = $1 and e.work_date between $3 and $4 and e.deleted_at is null
        and l.provider = $2 and l.external_type = 'time_entry'
    limit $7
)
select
    key,
    count(*) as count,
    coalesce(sum(minutes), 0) as minutes,
    encode(sha256(convert_to(coalesce(string_agg(line, '' order by external_id collate "C"), ''), 'UTF8')), 'hex') as hash
from found
group by grouping sets ((key), ())
order by key collate "C" nulls last
