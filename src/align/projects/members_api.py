"""The operations on the members of a project, as the table of operations has them."""

from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from align.access.calls import Call, Calls, not_found, ok, page
from align.projects import members, projects
from align.projects.api import WRITE
from align.projects.members import Member
from align.roles import TIME_KEEPERS
from align.web.body import Body
from align.web.http import Answer
from align.web.operation import Access, Operation, Success
from align.web.query import Page, Query

READ = Access(scope="any", roles=TIME_KEEPERS, permission="read:projects")


class MemberPage(msgspec.Struct, rename="camel", kw_only=True):
    """One page of members, by email."""

    data: list[Member]
    page: int
    page_size: int
    total: Annotated[int, Meta(description="Of all pages together.")]


class AddMember(msgspec.Struct, rename="camel", kw_only=True):
    """The request of `POST /projects/{id}/members`."""

    user_id: Annotated[UUID, Meta(examples=["9a8b7c6d-0000-0000-0000-000000000002"])]


class AddedMember(Member, frozen=True, rename="camel", kw_only=True):
    """The answer to `POST /projects/{id}/members`."""

    created: Annotated[bool, Meta(description="False when the user was a member already.")]


QUERY = Query(Page)
_BODY = Body(AddMember)


async def list_members(call: Call) -> Answer:
    """The members of the project."""
    wanted = QUERY.read(call.request)
    project_id = await _project_id(call)
    total, found = await members.list_page(
        call.db, call.organization_id, project_id, limit=wanted.page_size, offset=wanted.offset
    )
    return page(wanted, total, found)


async def add_member(call: Call) -> Answer:
    """The new member, or the one that the user is already."""
    sent: AddMember = call.body
    project_id = await _project_id(call)
    member, created = await members.add(call.db, call.organization_id, project_id, sent.user_id, actor=call.actor)
    return ok(AddedMember(**msgspec.structs.asdict(member), created=created), 201 if created else 200)


async def remove_member(call: Call) -> Answer:
    """Nothing, once the user is no member."""
    project_id, user_id = call.project_in_path(), call.id_in_path("userId", "member")
    await members.remove(call.db, call.organization_id, project_id, user_id, actor=call.actor)
    return Answer(204, b"")


async def _project_id(call: Call) -> UUID:
    found = await projects.read(call.db, call.organization_id, call.project_in_path())
    if found is None:
        raise not_found("project")
    return found.id


def operations(calls: Calls) -> list[Operation]:
    """The operations on members for the table of operations."""
    return [
        calls.reading(
            list_members,
            access=READ,
            query=QUERY,
            path="/projects/{id}/members",
            name="listProjectMembers",
            tag="Projects",
            summary="List the members of a project",
            description="By email, deactivated users too.",
            successes=(
                Success(
                    200, "A page of members.", MemberPage, {"data": [_MEMBER], "page": 1, "pageSize": 25, "total": 1}
                ),
            ),
        ),
        _add(calls),
        calls.changing(
            remove_member,
            access=WRITE,
            method="DELETE",
            path="/projects/{id}/members/{userId}",
            name="removeProjectMember",
            tag="Projects",
            summary="Take a member out of a project",
            description="The user's hours on the project stay. A user who is no member is answered with 404.",
            successes=(Success(204, "The user is no member any more."),),
        ),
    ]


def _add(calls: Calls) -> Operation:
    return calls.changing(
        add_member,
        access=WRITE,
        body=_BODY,
        path="/projects/{id}/members",
        name="addProjectMember",
        tag="Projects",
        summary="Make a user a member of a project",
        description="Again for a member: 200, and nothing changes.",
        request_example={"userId": _MEMBER["userId"]},
        successes=(
            Success(200, "The user was a member already.", AddedMember, {**_MEMBER, "created": False}),
            Success(201, "The user is a member now.", AddedMember, {**_MEMBER, "created": True}),
        ),
    )


_MEMBER: dict[str, object] = {
    "id": "5b6c7d8e-0000-0000-0000-000000000005",
    "projectId": "7b1e2c3d-0000-0000-0000-000000000001",
    "userId": "9a8b7c6d-0000-0000-0000-000000000002",
    "email": "dora@acme.example",
    "name": "Dora Developer",
    "role": "developer",
    "active": True,
    "createdAt": "2025-01-15T10:30:00.000000Z",
}
