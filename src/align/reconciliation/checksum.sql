-- name: checksum
-- Day by day (time_entries_by_day), each entry with its links (integration_links_by_entity). The group without a key is
-- the whole. In "C", text is ordered by its bytes, which are UTF-8 here.
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
    from time_entries e
    join integration_links l
        on l.organization_id = e.organization_id and l.align_entity_type = 'time_entry' and l.align_entity_id = e.id
        and l.provider = $2 and l.external_type = 'time_entry'
    where e.organization_id = $1 and e.work_date between $3 and $4 and e.deleted_at is null
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
