"""The operations on integration links, as the table of operations has them."""

from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from align.access.admission import source_violation
from align.access.calls import Call, Calls, not_found, ok, page
from align.errors import Problem, invalid
from align.external_names import external_name_problem, nfc
from align.links import linking, links
from align.links.linking import Wanted
from align.links.links import EntityType, ExternalName, ExternalRef, IntegrationLink
from align.refusals import NotFound
from align.roles import PROJECT_LEADS, TIME_KEEPERS
from align.web.body import Body
from align.web.http import Answer
from align.web.operation import Access, Operation, Success
from align.web.query import Page, Query

READ = Access(scope="any", roles=TIME_KEEPERS, permission="read:integration_links")
WRITE = Access(
    scope="any", roles=PROJECT_LEADS | {"developer", "devops_engineer"}, permission="write:integration_links"
)


class LinkFilters(Page, rename="camel", kw_only=True):
    """The parameters of `GET /integration-links`."""

    provider: Annotated[ExternalName, Meta(description="The other system, exactly.")] | UnsetType = UNSET
    external_type: Annotated[ExternalName, Meta(description="What it is there, exactly.")] | UnsetType = UNSET
    external_id: Annotated[ExternalName, Meta(description="Its id there, exactly.")] | UnsetType = UNSET
    align_entity_type: Annotated[EntityType, Meta(description="What it is here.")] | UnsetType = UNSET
    align_entity_id: Annotated[UUID, Meta(description="Its id here.")] | UnsetType = UNSET


class CreateIntegrationLink(msgspec.Struct, rename="camel", kw_only=True):
    """The request of `POST /integration-links`."""

    provider: Annotated[ExternalName, Meta(description="The other system.", examples=["jira"])]
    external_type: Annotated[
        ExternalName,
        Meta(
            description="What it is there. `time_entry` is kept for time entries: a sync finds its entry by it.",
            examples=["issue"],
        ),
    ]
    external_id: Annotated[ExternalName, Meta(description="Its id there.", examples=["WEB-42"])]
    align_entity_type: Annotated[EntityType, Meta(description="What it is here.")]
    align_entity_id: Annotated[
        UUID, Meta(description="Its id here.", examples=["3fa85f64-5717-4562-b3fc-2c963f66afa6"])
    ]


class CreatedIntegrationLink(IntegrationLink, frozen=True, rename="camel", kw_only=True):
    """The answer to `POST /integration-links`."""

    created: Annotated[bool, Meta(description="False when the link existed already.")]


class IntegrationLinkPage(msgspec.Struct, rename="camel", kw_only=True):
    """One page of integration links, oldest first."""

    data: list[IntegrationLink]
    page: int
    page_size: int
    total: Annotated[int, Meta(description="Of all pages together.")]


QUERY = Query(LinkFilters)
_NAMES = ("provider", "externalType", "externalId")
_BODY = Body(CreateIntegrationLink, dict.fromkeys(_NAMES, external_name_problem))


async def list_links(call: Call) -> Answer:
    """The links that the key may see and the query asks for."""
    filters = QUERY.read(call.request)
    given = zip(_NAMES, (filters.provider, filters.external_type, filters.external_id), strict=True)
    names = {name: None if text is UNSET else text for name, text in given}
    if problems := [
        Problem(name, *broken) for name, text in names.items() if text and (broken := external_name_problem(text))
    ]:
        raise invalid(problems)
    provider, external_type, external_id = (text and nfc(text) for text in names.values())
    wanted = Wanted(
        provider=provider,
        external_type=external_type,
        external_id=external_id,
        align_entity_type=None if filters.align_entity_type is UNSET else filters.align_entity_type,
        align_entity_id=None if filters.align_entity_id is UNSET else filters.align_entity_id,
        project_id=call.caller.scoped_project_id,
    )
    total, found = await linking.list_page(
        call.db, call.organization_id, wanted, limit=filters.page_size, offset=filters.offset
    )
    return page(filters, total, found)


async def create_link(call: Call) -> Answer:
    """The new link, or the one that exists."""
    sent: CreateIntegrationLink = call.body
    # A key that may sync one system's time entries may link that system's only.
    if sent.external_type == "time_entry" and (violation := source_violation(call.caller, sent.provider, "provider")):
        raise violation
    link, created = await linking.add(
        call.db,
        call.organization_id,
        links.checked(
            ExternalRef(provider=sent.provider, external_type=sent.external_type, external_id=sent.external_id), ""
        ),
        (sent.align_entity_type, sent.align_entity_id),
        only_project=call.caller.scoped_project_id,
        actor=call.actor,
    )
    answer = CreatedIntegrationLink(**msgspec.structs.asdict(link), created=created)
    return ok(answer, 201 if created else 200)


async def delete_link(call: Call) -> Answer:
    """Nothing, once the link is gone."""
    link_id = call.id_in_path("id", "integration link")
    try:
        await linking.remove(
            call.db, call.organization_id, link_id, only_project=call.caller.scoped_project_id, actor=call.actor
        )
    except NotFound:
        raise not_found("integration link") from None
    return Answer(204, b"")


def operations(calls: Calls) -> list[Operation]:
    """The operations on links for the table of operations."""
    return [_list(calls), _create(calls), _delete(calls)]


def _list(calls: Calls) -> Operation:
    return calls.reading(
        list_links,
        access=READ,
        query=QUERY,
        path="/integration-links",
        name="listIntegrationLinks",
        tag="Integration links",
        summary="List links to other systems",
        description=(
            "What things of this organisation are called in other systems, oldest first: to check foreign keys "
            "against. A project's key sees the links of its project, its tickets and its entries. Links of deleted "
            "time entries are left out."
        ),
        successes=(
            Success(
                200, "A page of links.", IntegrationLinkPage, {"data": [_LINK], "page": 1, "pageSize": 25, "total": 1}
            ),
        ),
    )


def _create(calls: Calls) -> Operation:
    return calls.changing(
        create_link,
        access=WRITE,
        body=_BODY,
        path="/integration-links",
        name="createIntegrationLink",
        tag="Integration links",
        summary="Link a thing to its name in another system",
        description=(
            "A reference (`provider`, `externalType`, `externalId`) names one thing only; a thing may have many "
            "references. The same link again is answered with the one that exists (200); a reference that names "
            "something else is refused (409). With `externalType` `time_entry`, a later sync of `externalSystem` = "
            "`provider` finds the linked time entry."
        ),
        request_example={name: _LINK[name] for name in CreateIntegrationLink.__struct_encode_fields__},
        successes=(
            Success(200, "The link existed already.", CreatedIntegrationLink, {**_LINK, "created": False}),
            Success(201, "The link was made.", CreatedIntegrationLink, {**_LINK, "created": True}),
        ),
        errors=("not_found", "external_ref_conflict", "source_violation"),
    )


def _delete(calls: Calls) -> Operation:
    return calls.changing(
        delete_link,
        access=WRITE,
        method="DELETE",
        path="/integration-links/{id}",
        name="deleteIntegrationLink",
        tag="Integration links",
        summary="Remove a link to another system",
        description=(
            "The thing itself stays. The own link of a synced time entry, by which its syncs find it, can't be removed."
        ),
        successes=(Success(204, "The link is gone."),),
        errors=("link_protected",),
    )


_LINK: dict[str, object] = {
    "id": "aa1b2c3d-0000-0000-0000-000000000099",
    "organizationId": "5c0e9a7e-0000-0000-0000-000000000003",
    "provider": "jira",
    "externalType": "issue",
    "externalId": "WEB-42",
    "alignEntityType": "ticket",
    "alignEntityId": "3fa85f64-5717-4562-b3fc-2c963f66afa6",
    "createdAt": "2025-01-15T10:30:00.000000Z",
}
