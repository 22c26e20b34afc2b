"""The lines of users, projects, tickets and links."""

from uuid import UUID, uuid4

from align.links import links
from align.links.links import ExternalRef
from tests.access.line import ADMINS, ALL, ALL_BUT_CLIENTS, LEADS, LINKERS, MANAGERS, Asked, Line, Place


async def _user(place: Place) -> UUID:
    return await place.fetchval(
        "insert into users (organization_id, id, email, name, role) "
        "values ($1, gen_random_uuid(), gen_random_uuid() || '@example.com', 'Some Body', 'developer') returning id"
    )


async def _member(place: Place) -> UUID:
    user_id = await _user(place)
    statement = "insert into project_members (organization_id, project_id, user_id) values ($1, $2, $3)"
    await place.fetchval(statement, place.project_id, user_id)
    return user_id


async def list_users(place: Place) -> Asked:
    user_id = await _user(place)
    email = await place.fetchval("select email from users where organization_id = $1 and id = $2", user_id)
    return Asked(query={"email": email}, shows=str(user_id))


async def one_user(place: Place) -> Asked:
    user_id = await _user(place)
    return Asked({"id": user_id}, shows=str(user_id))


async def rename_user(place: Place) -> Asked:
    return Asked({"id": await _user(place)}, {"name": "Another Name"})


async def promote_user(place: Place) -> Asked:
    return Asked({"id": await _user(place)}, {"role": "tech_lead"})


async def invite(place: Place) -> Asked:
    body = {"email": f"{uuid4()}@example.com", "name": "Guest", "role": "user", "projectIds": [str(place.project_id)]}
    return Asked({"projectId": place.project_id}, body)


async def bulk_invite(place: Place) -> Asked:
    one = await invite(place)
    return Asked(one.ids, {"users": [one.body]})


async def list_projects(place: Place) -> Asked:
    return Asked(query={"name": "First"}, shows=str(place.project_id))


async def create_project(_place: Place) -> Asked:
    return Asked(body={"name": "New"})


async def one_project(place: Place) -> Asked:
    return Asked({"id": place.project_id}, shows=str(place.project_id))


async def rename_project(place: Place) -> Asked:
    # No change of the name, which other lines look for.
    await place.fetchval(
        "update projects set status = 'active' where organization_id = $1 and id = $2", place.project_id
    )
    return Asked({"id": place.project_id}, {"status": "on_hold"})


async def list_members(place: Place) -> Asked:
    email = await place.fetchval(
        "select min(lower(email)) from users join project_members m using (organization_id) "
        "where organization_id = $1 and m.user_id = users.id and m.project_id = $2",
        place.project_id,
    )
    return Asked({"id": place.project_id}, shows=email)


async def add_member(place: Place) -> Asked:
    ids = {"id": place.project_id, "userId": await _user(place)}
    return Asked(ids, {"userId": str(ids["userId"])})


async def remove_member(place: Place) -> Asked:
    return Asked({"id": place.project_id, "userId": await _member(place)})


async def list_tickets(place: Place) -> Asked:
    return Asked({"id": place.project_id}, shows=str(place.ticket_id))


async def create_ticket(place: Place) -> Asked:
    return Asked({"id": place.project_id}, {"title": "New"})


async def one_ticket(place: Place) -> Asked:
    return Asked({"id": place.project_id, "entryId": place.ticket_id}, shows=str(place.ticket_id))


async def retitle_ticket(place: Place) -> Asked:
    return Asked({"id": place.project_id, "entryId": place.ticket_id}, {"title": f"Title {uuid4()}"})


async def _link(place: Place) -> UUID:
    ref = ExternalRef(provider="jira", external_type="issue", external_id=str(uuid4()))
    async with place.world.pool.acquire() as tx, tx.transaction():
        made = await links.link(
            tx, place.world.organization_id, ref, ("ticket", place.ticket_id), project_id=place.project_id
        )
    return made.id


async def list_links(place: Place) -> Asked:
    link_id = await _link(place)
    statement = "select external_id from integration_links where organization_id = $1 and id = $2"
    external_id = UUID(await place.fetchval(statement, link_id))
    query = {"provider": "jira", "externalId": external_id, "alignEntityId": place.ticket_id}
    return Asked({"externalId": external_id, "alignEntityId": place.ticket_id}, query=query, shows=str(link_id))


async def create_link(place: Place) -> Asked:
    body = {
        "provider": "jira",
        "externalType": "issue",
        "externalId": f"new {uuid4()}",
        "alignEntityType": "ticket",
        "alignEntityId": str(place.ticket_id),
    }
    return Asked({"alignEntityId": place.ticket_id}, body)


async def delete_link(place: Place) -> Asked:
    return Asked({"id": await _link(place)})


READ_USERS = {"keys": "organization", "roles": ALL_BUT_CLIENTS, "permission": "read:users"}
WRITE_USERS = {"keys": "organization", "roles": MANAGERS, "permission": "write:users"}
READ = {"keys": "any", "roles": ALL, "permission": "read:projects"}
WRITE = {"keys": "any", "roles": LEADS, "permission": "write:projects"}
READ_TICKETS = {"keys": "any", "roles": ALL, "permission": "read:tickets"}
WRITE_TICKETS = {"keys": "any", "roles": ALL_BUT_CLIENTS, "permission": "write:tickets"}
READ_LINKS = {"keys": "any", "roles": ALL_BUT_CLIENTS, "permission": "read:integration_links"}
WRITE_LINKS = {"keys": "any", "roles": LINKERS, "permission": "write:integration_links"}
INVITED = ("user.invited", "project_member.added")

LINES = (
    Line(operation="GET /users", asked=list_users, strangers="own", **READ_USERS),
    Line(operation="GET /users/{id}", asked=one_user, **READ_USERS),
    Line(operation="PATCH /users/{id}", case="name", asked=rename_user, events=("user.updated",), **WRITE_USERS),
    Line(
        operation="PATCH /users/{id}",
        case="role",
        asked=promote_user,
        events=("user.updated",),
        roles_at_all=MANAGERS,
        **{**WRITE_USERS, "roles": ADMINS},
    ),
    Line(operation="POST /users/invite", asked=invite, success=201, events=INVITED, **WRITE_USERS),
    Line(operation="POST /users/bulk-invite", asked=bulk_invite, events=INVITED, strangers="members", **WRITE_USERS),
    Line(operation="GET /projects", asked=list_projects, strangers="own", **READ),
    Line(
        operation="POST /projects",
        asked=create_project,
        success=201,
        events=("project.created",),
        strangers="own",
        **{**WRITE, "keys": "organization"},
    ),
    Line(operation="GET /projects/{id}", asked=one_project, **READ),
    Line(operation="PATCH /projects/{id}", asked=rename_project, events=("project.updated",), **WRITE),
    Line(operation="GET /projects/{id}/members", asked=list_members, **{**READ, "roles": ALL_BUT_CLIENTS}),
    Line(
        operation="POST /projects/{id}/members",
        asked=add_member,
        shared=("userId",),
        success=201,
        events=("project_member.added",),
        **WRITE,
    ),
    Line(
        operation="DELETE /projects/{id}/members/{userId}",
        asked=remove_member,
        success=204,
        events=("project_member.removed",),
        **WRITE,
    ),
    Line(operation="GET /projects/{id}/entries", asked=list_tickets, **READ_TICKETS),
    Line(
        operation="POST /projects/{id}/entries",
        asked=create_ticket,
        success=201,
        events=("ticket.created",),
        **WRITE_TICKETS,
    ),
    Line(operation="GET /projects/{id}/entries/{entryId}", asked=one_ticket, **READ_TICKETS),
    Line(
        operation="PATCH /projects/{id}/entries/{entryId}",
        asked=retitle_ticket,
        events=("ticket.updated",),
        **WRITE_TICKETS,
    ),
    Line(operation="GET /integration-links", asked=list_links, strangers="own", **READ_LINKS),
    Line(
        operation="POST /integration-links",
        asked=create_link,
        success=201,
        events=("integration_link.created",),
        **WRITE_LINKS,
    ),
    Line(
        operation="DELETE /integration-links/{id}",
        asked=delete_link,
        success=204,
        events=("integration_link.deleted",),
        **WRITE_LINKS,
    ),
)
