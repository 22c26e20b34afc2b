"""The operations on tickets, as the table of operations has them; on the wire a ticket is an entry."""

from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from align import names
from align.access.calls import Call, Calls, not_found, ok, page
from align.links import links
from align.links.links import EXTERNAL_REF_EXAMPLE, REF_CHECKS, ExternalRef
from align.names import Name
from align.projects import projects
from align.projects.projects import Project
from align.refusals import Conflict
from align.roles import EVERYBODY, TIME_KEEPERS
from align.tickets import tickets
from align.tickets.tickets import Status, Ticket
from align.web.body import Body
from align.web.http import Answer
from align.web.operation import PREFIX, Access, Header, Operation, Success
from align.web.query import Page, Query

READ = Access(scope="any", roles=EVERYBODY, permission="read:tickets")
WRITE = Access(scope="any", roles=TIME_KEEPERS, permission="write:tickets")


class TicketFilters(Page, rename="camel", kw_only=True):
    """The parameters of `GET /projects/{id}/entries`."""

    status: Annotated[Status, Meta(description="Only open, or only closed ones.")] | UnsetType = UNSET


class TicketPage(msgspec.Struct, rename="camel", kw_only=True):
    """One page of tickets, oldest first."""

    data: list[Ticket]
    page: int
    page_size: int
    total: Annotated[int, Meta(description="Of all pages together.")]


class CreateTicket(msgspec.Struct, rename="camel", kw_only=True):
    """The request of `POST /projects/{id}/entries`."""

    title: Annotated[Name, Meta(examples=["Sketch the start page"])]
    status: Annotated[Status, Meta(description="`open` if left out.")] | UnsetType = UNSET
    external_ref: ExternalRef | UnsetType = UNSET


class UpdateTicket(msgspec.Struct, rename="camel", kw_only=True):
    """The request of `PATCH /projects/{id}/entries/{entryId}`: what is left out stays."""

    title: Annotated[Name, Meta(examples=["Sketch the start page"])] | UnsetType = UNSET
    status: Status | UnsetType = UNSET


class CreatedTicket(Ticket, frozen=True, rename="camel", kw_only=True):
    """The answer to `POST /projects/{id}/entries`."""

    created: Annotated[bool, Meta(description="False when the externalRef was known already.")]


QUERY = Query(TicketFilters)
_CREATE = Body(CreateTicket, {"title": names.name_problem, **REF_CHECKS})
_UPDATE = Body(UpdateTicket, {"title": names.name_problem})


async def list_tickets(call: Call) -> Answer:
    """The tickets of the project that the query asks for."""
    filters = QUERY.read(call.request)
    project = await _project(call)
    total, found = await tickets.list_page(
        call.db,
        call.organization_id,
        project.id,
        status=None if filters.status is UNSET else filters.status,
        limit=filters.page_size,
        offset=filters.offset,
    )
    return page(filters, total, found)


async def get_ticket(call: Call) -> Answer:
    """The ticket of the path."""
    found = await tickets.read(
        call.db, call.organization_id, call.project_in_path(), call.id_in_path("entryId", "ticket")
    )
    if found is None:
        raise not_found("ticket")
    return ok(found)


async def create_ticket(call: Call) -> Answer:
    """The new ticket, or the one that the reference names."""
    sent: CreateTicket = call.body
    project = await _project(call)
    ref, known_id = await links.named(call.db, call.organization_id, sent.external_ref, "ticket")
    if known_id is not None:
        return _created(await _known(call, project.id, known_id), created=False)
    if project.status == "archived":
        raise Conflict("project_archived", "projectId", "the project is archived and takes no new tickets")
    made = await tickets.create(
        call.db,
        call.organization_id,
        project.id,
        sent.title,
        status="open" if sent.status is UNSET else sent.status,
        actor=call.actor,
    )
    if ref is not None:
        await links.link(
            call.db, call.organization_id, ref, ("ticket", made.id), actor=call.actor, project_id=project.id
        )
    return _created(made, created=True)


async def update_ticket(call: Call) -> Answer:
    """The ticket as it is after the change."""
    sent: UpdateTicket = call.body
    old = await tickets.get(call.db, call.organization_id, call.project_in_path(), call.id_in_path("entryId", "ticket"))
    if old is None:
        raise not_found("ticket")
    changes = {name: value for name, value in msgspec.structs.asdict(sent).items() if value is not UNSET}
    return ok(await tickets.update(call.db, old, **changes, actor=call.actor))


async def _project(call: Call) -> Project:
    found = await projects.read(call.db, call.organization_id, call.project_in_path())
    if found is None:
        raise not_found("project")
    return found


async def _known(call: Call, project_id: UUID, ticket_id: UUID) -> Ticket:
    found = await tickets.read(call.db, call.organization_id, project_id, ticket_id)
    if found is None:
        raise Conflict("external_ref_conflict", "externalRef", "the reference names a ticket of another project")
    return found


def _created(ticket: Ticket, *, created: bool) -> Answer:
    answer = CreatedTicket(**msgspec.structs.asdict(ticket), created=created)
    location = f"{PREFIX}/projects/{ticket.project_id}/entries/{ticket.id}"
    return ok(answer, 201, location) if created else ok(answer)


def operations(calls: Calls) -> list[Operation]:
    """The operations on tickets for the table of operations."""
    return [_list(calls), _create(calls), _get(calls), _update(calls)]


def _list(calls: Calls) -> Operation:
    return calls.reading(
        list_tickets,
        access=READ,
        query=QUERY,
        path="/projects/{id}/entries",
        name="listTickets",
        tag="Tickets",
        summary="List the tickets of a project",
        description="Oldest first. A ticket is called entry (`entryId`) where time entries name it.",
        successes=(
            Success(200, "A page of tickets.", TicketPage, {"data": [_TICKET], "page": 1, "pageSize": 25, "total": 1}),
        ),
    )


def _create(calls: Calls) -> Operation:
    return calls.changing(
        create_ticket,
        access=WRITE,
        body=_CREATE,
        path="/projects/{id}/entries",
        name="createTicket",
        tag="Tickets",
        summary="Create a ticket",
        description=(
            "With an `externalRef` that is known, the ticket that it names is answered (200, `created` is false) and "
            "nothing changes, even if the project is archived by now. New tickets of archived projects are refused."
        ),
        request_example={"title": "Sketch the start page", "externalRef": EXTERNAL_REF_EXAMPLE},
        successes=(
            Success(200, "The externalRef was known.", CreatedTicket, {**_TICKET, "created": False}),
            Success(
                201,
                "The ticket was created.",
                CreatedTicket,
                {**_TICKET, "created": True},
                (Header("Location", "Path of the ticket."),),
            ),
        ),
        errors=("external_ref_conflict", "project_archived"),
    )


def _get(calls: Calls) -> Operation:
    return calls.reading(
        get_ticket,
        access=READ,
        path="/projects/{id}/entries/{entryId}",
        name="getTicket",
        tag="Tickets",
        summary="Read a ticket",
        description="One ticket of the project.",
        successes=(Success(200, "The ticket.", Ticket, _TICKET),),
    )


def _update(calls: Calls) -> Operation:
    return calls.changing(
        update_ticket,
        access=WRITE,
        body=_UPDATE,
        method="PATCH",
        path="/projects/{id}/entries/{entryId}",
        name="updateTicket",
        tag="Tickets",
        summary="Change a ticket",
        description="Its title, or whether it is open; also in an archived project. Time can be on closed tickets.",
        request_example={"status": "closed"},
        successes=(Success(200, "The ticket as it is now.", Ticket, {**_TICKET, "status": "closed"}),),
    )


_TICKET: dict[str, object] = {
    "id": "3fa85f64-5717-4562-b3fc-2c963f66afa6",
    "organizationId": "5c0e9a7e-0000-0000-0000-000000000003",
    "projectId": "7b1e2c3d-0000-0000-0000-000000000001",
    "title": "Sketch the start page",
    "status": "open",
    "createdAt": "2025-01-15T10:30:00.000000Z",
    "updatedAt": "2025-01-15T10:30:00.000000Z",
}
