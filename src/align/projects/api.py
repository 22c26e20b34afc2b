"""The operations on projects, members apart, as the table of operations has them."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from align import names
from align.access.calls import Call, Calls, not_found, ok, page
from align.errors import Problem, invalid
from align.links import links
from align.links.links import REF_CHECKS, ExternalRef
from align.names import Name
from align.projects import projects
from align.projects.projects import Project, Status
from align.roles import EVERYBODY, PROJECT_LEADS
from align.web.body import Body
from align.web.http import Answer
from align.web.operation import PREFIX, Access, Header, Operation, Success
from align.web.query import Page, Query

READ = Access(scope="any", roles=EVERYBODY, permission="read:projects")
CREATE = Access(scope="organization", roles=PROJECT_LEADS, permission="write:projects")
WRITE = Access(scope="any", roles=PROJECT_LEADS, permission="write:projects")


class ProjectFilters(Page, rename="camel", kw_only=True):
    """The parameters of `GET /projects`."""

    status: Annotated[list[Status], Meta(description="Only these; may be repeated.")] | UnsetType = UNSET
    name: Annotated[Name, Meta(description="Only projects with exactly this name.")] | UnsetType = UNSET


class ProjectPage(msgspec.Struct, rename="camel", kw_only=True):
    """One page of projects, by name."""

    data: list[Project]
    page: int
    page_size: int
    total: Annotated[int, Meta(description="Of all pages together.")]


class CreateProject(msgspec.Struct, rename="camel", kw_only=True):
    """The request of `POST /projects`."""

    name: Annotated[Name, Meta(examples=["Website relaunch"])]
    status: Annotated[Status, Meta(description="`active` if left out.")] | UnsetType = UNSET
    external_ref: ExternalRef | UnsetType = UNSET


class UpdateProject(msgspec.Struct, rename="camel", kw_only=True):
    """The request of `PATCH /projects/{id}`: what is left out stays."""

    name: Annotated[Name, Meta(examples=["Website relaunch"])] | UnsetType = UNSET
    status: Annotated[Status, Meta(description="From any to any.")] | UnsetType = UNSET


class CreatedProject(Project, frozen=True, rename="camel", kw_only=True):
    """The answer to `POST /projects`."""

    created: Annotated[bool, Meta(description="False when the externalRef was known already.")]


QUERY = Query(ProjectFilters)
_CREATE = Body(CreateProject, {"name": names.name_problem, **REF_CHECKS})
_UPDATE = Body(UpdateProject, {"name": names.name_problem})


async def list_projects(call: Call) -> Answer:
    """The projects that the key may see and the query asks for."""
    filters = QUERY.read(call.request)
    if filters.name is not UNSET and (broken := names.name_problem(filters.name)):
        raise invalid([Problem("name", *broken)])
    total, found = await projects.list_page(
        call.db,
        call.organization_id,
        only_project=call.caller.scoped_project_id,
        statuses=None if filters.status is UNSET else filters.status,
        name=None if filters.name is UNSET else filters.name,
        limit=filters.page_size,
        offset=filters.offset,
    )
    return page(filters, total, found)


async def get_project(call: Call) -> Answer:
    """The project of the path."""
    found = await projects.read(call.db, call.organization_id, call.project_in_path())
    if found is None:
        raise not_found("project")
    return ok(found)


async def create_project(call: Call) -> Answer:
    """The new project, or the one that the reference names."""
    sent: CreateProject = call.body
    ref, known_id = await links.named(call.db, call.organization_id, sent.external_ref, "project")
    if known_id is not None:
        known = await projects.read(call.db, call.organization_id, known_id)
        if known is None:
            raise not_found("project")
        return _created(known, created=False)
    status = "active" if sent.status is UNSET else sent.status
    made = await projects.create(call.db, call.organization_id, sent.name, status=status, actor=call.actor)
    if ref is not None:
        await links.link(call.db, call.organization_id, ref, ("project", made.id), actor=call.actor, project_id=made.id)
    return _created(made, created=True)


async def update_project(call: Call) -> Answer:
    """The project as it is after the change."""
    sent: UpdateProject = call.body
    old = await projects.get(call.db, call.organization_id, call.project_in_path())
    if old is None:
        raise not_found("project")
    changes = {name: value for name, value in msgspec.structs.asdict(sent).items() if value is not UNSET}
    return ok(await projects.update(call.db, call.organization_id, old.id, **changes, actor=call.actor))


def _created(project: Project, *, created: bool) -> Answer:
    answer = CreatedProject(**msgspec.structs.asdict(project), created=created)
    return ok(answer, 201, f"{PREFIX}/projects/{project.id}") if created else ok(answer)


def operations(calls: Calls) -> list[Operation]:
    """The operations on projects for the table of operations."""
    return [_list(calls), _create(calls), _get(calls), _update(calls)]


def _list(calls: Calls) -> Operation:
    return calls.reading(
        list_projects,
        access=READ,
        query=QUERY,
        path="/projects",
        name="listProjects",
        tag="Projects",
        summary="List projects",
        description="The organisation's projects by name, archived ones too. A project's key sees its project only.",
        successes=(
            Success(
                200, "A page of projects.", ProjectPage, {"data": [_PROJECT], "page": 1, "pageSize": 25, "total": 1}
            ),
        ),
    )


def _create(calls: Calls) -> Operation:
    return calls.changing(
        create_project,
        access=CREATE,
        body=_CREATE,
        path="/projects",
        name="createProject",
        tag="Projects",
        summary="Create a project",
        description=(
            "Two projects may have the same name. With an `externalRef` that is known, the project that it names is "
            "answered (200, `created` is false) and nothing changes."
        ),
        request_example={
            "name": "Website relaunch",
            "externalRef": {"provider": "jira", "externalType": "board", "externalId": "WEB"},
        },
        successes=(
            Success(200, "The externalRef was known.", CreatedProject, {**_PROJECT, "created": False}),
            Success(
                201,
                "The project was created.",
                CreatedProject,
                {**_PROJECT, "created": True},
                (Header("Location", "Path of the project."),),
            ),
        ),
        errors=("external_ref_conflict",),
    )


def _get(calls: Calls) -> Operation:
    return calls.reading(
        get_project,
        access=READ,
        path="/projects/{id}",
        name="getProject",
        tag="Projects",
        summary="Read a project",
        description="One project, archived or not.",
        successes=(Success(200, "The project.", Project, _PROJECT),),
    )


def _update(calls: Calls) -> Operation:
    return calls.changing(
        update_project,
        access=WRITE,
        body=_UPDATE,
        method="PATCH",
        path="/projects/{id}",
        name="updateProject",
        tag="Projects",
        summary="Change a project",
        description="Its name or status. An archived project takes no new time and no new tickets; it can be reopened.",
        request_example={"status": "completed"},
        successes=(Success(200, "The project as it is now.", Project, {**_PROJECT, "status": "completed"}),),
    )


_PROJECT: dict[str, object] = {
    "id": "7b1e2c3d-0000-0000-0000-000000000001",
    "organizationId": "5c0e9a7e-0000-0000-0000-000000000003",
    "name": "Website relaunch",
    "status": "active",
    "createdAt": "2025-01-15T10:30:00.000000Z",
    "updatedAt": "2025-01-15T10:30:00.000000Z",
}
