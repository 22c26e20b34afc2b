-- name: insert_member
insert into project_members (organization_id, id, project_id, user_id) values ($1, $2, $3, $4)
on conflict do nothing
returning id

-- name: find_member
select m.id, m.project_id, m.user_id, u.email, u.name, u.role, u.deactivated_at is null as active, m.created_at
from project_members m
join users u on u.organization_id = m.organization_id and u.id = m.user_id
where m.organization_id = $1 and m.project_id = $2 and m.user_id = $3

-- name: page_of_members
select m.id, m.project_id, m.user_id, u.email, u.name, u.role, u.deactivated_at is null as active, m.created_at
from project_members m
join users u on u.organization_id = m.organization_id and u.id = m.user_id
where m.organization_id = $1 and m.project_id = $2
order by lower(u.email), u.id
limit $3 offset $4

-- name: count_members
select count(*) from project_members where organization_id = $1 and project_id = $2

-- name: delete_member
delete from project_members where organization_id = $1 and project_id = $2 and user_id = $3
