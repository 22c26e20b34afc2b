"""The operations on users, invitations apart, as the table of operations has them."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from align import names
from align.access.admission import role_violation
from align.access.calls import Call, Calls, not_found, ok, page
from align.errors import Problem, invalid
from align.names import Name
from align.roles import ADMINS, MANAGERS, TIME_KEEPERS, Role
from align.users import users
from align.users.users import Changed, Email, User
from align.web.body import Body
from align.web.http import Answer
from align.web.operation import Access, Operation, Success
from align.web.query import Page, Query

READ = Access(scope="organization", roles=TIME_KEEPERS, permission="read:users")
WRITE = Access(scope="organization", roles=MANAGERS, permission="write:users")


class UserFilters(Page, rename="camel", kw_only=True):
    """The parameters of `GET /users`."""

    role: Annotated[list[Role], Meta(description="Only these roles; may be repeated.")] | UnsetType = UNSET
    email: Annotated[Email, Meta(description="Only the user with this email, whatever the case.")] | UnsetType = UNSET
    active: Annotated[bool, Meta(description="Only active, or only deactivated users.")] | UnsetType = UNSET


class UserPage(msgspec.Struct, rename="camel", kw_only=True):
    """One page of users, by email."""

    data: list[User]
    page: int
    page_size: int
    total: Annotated[int, Meta(description="Of all pages together.")]


class UpdateUser(msgspec.Struct, rename="camel", kw_only=True):
    """The request of `PATCH /users/{id}`: what is left out stays."""

    name: Annotated[Name, Meta(examples=["Dora Developer"])] | UnsetType = UNSET
    email: Annotated[Email, Meta(description="For admins. Unique, whatever the case.")] | UnsetType = UNSET
    role: Annotated[Role, Meta(description="For admins.")] | UnsetType = UNSET
    active: Annotated[bool, Meta(description="For admins. False deactivates the user.")] | UnsetType = UNSET


QUERY = Query(UserFilters)
_BODY = Body(UpdateUser, {"name": names.name_problem, "email": users.email_problem})


async def list_users(call: Call) -> Answer:
    """The users that the query asks for."""
    filters = QUERY.read(call.request)
    roles = None if filters.role is UNSET else filters.role
    active = None if filters.active is UNSET else filters.active
    if filters.email is not UNSET:
        if broken := users.email_problem(filters.email):
            raise invalid([Problem("email", *broken)])
        found = await users.by_email(call.db, call.organization_id, filters.email)
        fits = found is not None and (roles is None or found.role in roles) and active in (None, found.active)
        matching = [found] if fits else []
        return page(filters, len(matching), matching[filters.offset :])
    total, some = await users.list_page(
        call.db, call.organization_id, roles=roles, active=active, limit=filters.page_size, offset=filters.offset
    )
    return page(filters, total, some)


async def get_user(call: Call) -> Answer:
    """The user with the id in the path."""
    found = await users.read(call.db, call.organization_id, call.id_in_path("id", "user"))
    if found is None:
        raise not_found("user")
    return ok(found)


async def update_user(call: Call) -> Answer:
    """The user as it is after the change."""
    sent: UpdateUser = call.body
    changes = {name: value for name, value in msgspec.structs.asdict(sent).items() if value is not UNSET}
    if changes.keys() - {"name"} and call.caller.role not in ADMINS:
        raise role_violation(call.caller.role, ADMINS)
    old = await users.read(call.db, call.organization_id, call.id_in_path("id", "user"))
    if old is None:
        raise not_found("user")
    return ok(await users.update(call.db, call.organization_id, old.id, Changed(**changes), actor=call.actor))


def operations(calls: Calls) -> list[Operation]:
    """The operations on users for the table of operations."""
    return [_list(calls), _get(calls), _update(calls)]


def _list(calls: Calls) -> Operation:
    return calls.reading(
        list_users,
        access=READ,
        query=QUERY,
        path="/users",
        name="listUsers",
        tag="Users",
        summary="List users",
        description="The organisation's users by email, deactivated ones too unless `active` says otherwise.",
        successes=(
            Success(200, "A page of users.", UserPage, {"data": [EXAMPLE], "page": 1, "pageSize": 25, "total": 1}),
        ),
    )


def _get(calls: Calls) -> Operation:
    return calls.reading(
        get_user,
        access=READ,
        path="/users/{id}",
        name="getUser",
        tag="Users",
        summary="Read a user",
        description="One user of the organisation, deactivated or not.",
        successes=(Success(200, "The user.", User, EXAMPLE),),
    )


def _update(calls: Calls) -> Operation:
    return calls.changing(
        update_user,
        access=WRITE,
        body=_BODY,
        method="PATCH",
        path="/users/{id}",
        name="updateUser",
        tag="Users",
        summary="Change a user",
        description=(
            "Managers may change the name, admins all of it. Nobody may leave the organisation without an active admin "
            "(409 `last_admin`). Keys act with the new role at once. The hours of a deactivated user stay."
        ),
        request_example={"name": "Dora Developer", "role": "tech_lead"},
        successes=(Success(200, "The user as it is now.", User, {**EXAMPLE, "role": "tech_lead"}),),
        errors=("role_violation", "already_exists", "last_admin"),
    )


EXAMPLE: dict[str, object] = {
    "id": "9a8b7c6d-0000-0000-0000-000000000002",
    "organizationId": "5c0e9a7e-0000-0000-0000-000000000003",
    "email": "dora@acme.example",
    "name": "Dora Developer",
    "role": "developer",
    "active": True,
    "deactivatedAt": None,
    "metadata": {"personnelNumber": "4711"},
    "createdAt": "2025-01-15T10:30:00.000000Z",
    "updatedAt": "2025-01-15T10:30:00.000000Z",
}
