-- name: insert_organization
insert into organizations (organization_id, name, features) values ($1, $2, $3)
returning {{ organization }}

-- name: get_organization
select {{ organization }} from organizations where organization_id = $1 for no key update

-- name: read_organization
select {{ organization }} from organizations where organization_id = $1

-- name: find_organizations
-- crosses tenants: the operator names the organisation, its id is what is asked for.
select {{ organization }} from organizations where organization_id = $1 or name = $2 order by organization_id limit 10

-- name: list_organizations
-- crosses tenants: the operator's list of all of them.
select {{ organization }} from organizations order by name, organization_id

-- name: update_organization
update organizations set features = $2, strict = $3, updated_at = now() where organization_id = $1
returning {{ organization }}
