"""The lines of the organisation, its keys and its events."""

from uuid import UUID

from tests.access.line import ADMINS, ALL, ALL_BUT_CLIENTS, MINTERS, Asked, Line, Place

# No more than what the calling key has: each of these lines is called by a key with this permission alone.
_PERMISSIONS = ["write:api_keys"]


async def _key(place: Place) -> UUID:
    """A key that the caller made for the project, of this organisation at least."""
    made, _ = await place.world.mint(
        created_by_user_id=place.caller_id, scoped_project_id=place.project_id, permissions=_PERMISSIONS
    )
    return made.id


async def me(_place: Place) -> Asked:
    return Asked(shows='"apiKeyId"')


async def organization(place: Place) -> Asked:
    return Asked(shows=str(place.world.organization_id))


async def list_keys(place: Place) -> Asked:
    # Oldest first: the caller's first, which lies on the first page whatever the others make.
    first = await place.fetchval(
        "select id from api_keys where organization_id = $1 and created_by_user_id = $2 and scoped_project_id = $3 "
        "order by created_at, id limit 1",
        place.caller_id,
        place.project_id,
    )
    return Asked({"projectId": place.project_id}, query={"projectId": place.project_id}, shows=str(first))


async def mint_for_project(place: Place) -> Asked:
    body = {
        "name": "New",
        "scope": "project",
        "scopedProjectId": str(place.project_id),
        "permissions": _PERMISSIONS,
    }
    return Asked({"scopedProjectId": place.project_id}, body)


async def mint_for_organization(_place: Place) -> Asked:
    return Asked(body={"name": "New", "scope": "organization", "permissions": _PERMISSIONS})


async def rotate(place: Place) -> Asked:
    return Asked({"id": await _key(place)})


async def revoke(place: Place) -> Asked:
    return Asked({"id": await _key(place)})


async def changes(place: Place) -> Asked:
    return Asked(query={"types": "project"}, shows=str(place.project_id))


async def audit_events(place: Place) -> Asked:
    return Asked({"entityId": place.project_id}, query={"entityId": place.project_id}, shows=str(place.project_id))


ANYBODY = {"keys": "any", "roles": ALL, "permission": None, "strangers": "own"}
READ = {"keys": "any", "roles": MINTERS, "permission": "read:api_keys"}
WRITE = {"keys": "any", "roles": MINTERS, "permission": "write:api_keys"}
EVENTS = {"keys": "any", "roles": ALL_BUT_CLIENTS, "permission": "read:events", "strangers": "own"}

LINES = (
    Line(operation="GET /me", asked=me, **ANYBODY),
    Line(operation="GET /organization", asked=organization, **ANYBODY),
    Line(operation="GET /api-keys", asked=list_keys, strangers="own", **READ),
    Line(
        operation="POST /api-keys",
        case="of a project",
        asked=mint_for_project,
        success=201,
        events=("api_key.created",),
        **WRITE,
    ),
    Line(
        operation="POST /api-keys",
        case="of the organisation",
        asked=mint_for_organization,
        success=201,
        events=("api_key.created",),
        strangers="own",
        roles_at_all=MINTERS,
        **{**WRITE, "keys": "organization", "roles": ADMINS},
    ),
    Line(operation="POST /api-keys/{id}/rotate", asked=rotate, events=("api_key.rotated",), **WRITE),
    Line(operation="DELETE /api-keys/{id}", asked=revoke, success=204, events=("api_key.revoked",), **WRITE),
    Line(operation="GET /changes", asked=changes, **EVENTS),
    Line(operation="GET /audit-events", asked=audit_events, **EVENTS),
)
