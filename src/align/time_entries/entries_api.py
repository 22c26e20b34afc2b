"""The operations on time entries but for the integration's and those of their life."""

from uuid import UUID

import msgspec
from msgspec import UNSET

from align.access.admission import source_violation
from align.access.calls import Call, Calls, not_found, ok, page
from align.errors import Problem, invalid
from align.roles import TIME_KEEPERS
from align.time_entries import creating, csv_form, editing, entries_documented, filters, one_entry, refusing, search
from align.time_entries import summary as summaries
from align.time_entries.entry_bodies import CREATE, UPDATE
from align.time_entries.search import Found, Listing, ProjectListing
from align.web import etags
from align.web.http import NO_CONTENT, NOT_MODIFIED, Answer
from align.web.operation import Access, Operation
from align.web.query import Query

READ = Access(scope="any", roles=TIME_KEEPERS, permission="read:time_entries", feature=refusing.FEATURE)
WRITE = Access(scope="any", roles=TIME_KEEPERS, permission="write:time_entries", feature=refusing.FEATURE)

_LISTING = Query(Listing)
_PROJECT_LISTING = Query(ProjectListing)
_GROUPING = Query(summaries.Grouping)
# The id of nothing.
_NO_PROJECT = UUID(int=0)


def operations(calls: Calls) -> list[Operation]:
    """The operations, with their handlers."""
    return [
        calls.changing(_create, access=WRITE, body=CREATE, **entries_documented.CREATE),
        calls.reading(_list_of_project, access=READ, query=_PROJECT_LISTING, **entries_documented.LIST_OF_PROJECT),
        calls.reading(_list, access=refusing.READ, query=_LISTING, **entries_documented.LIST),
        calls.reading(_summarize, access=READ, query=_GROUPING, **entries_documented.SUMMARY),
        calls.reading(_read, access=READ, **entries_documented.READ),
        calls.changing(_update, access=WRITE, body=UPDATE, **entries_documented.UPDATE),
        calls.changing(_delete, access=WRITE, **entries_documented.DELETE),
    ]


async def _create(call: Call) -> Answer:
    project_id = call.project_in_path()
    ref = call.body.external_ref
    if ref and (violation := source_violation(call.caller, ref.provider, "externalRef.provider")):
        raise violation
    made = await creating.create(call.db, call.organization_id, project_id, call.body, sees=call.sees, actor=call.actor)
    headers = {} if made.differs is None else {"Content-Differs": made.differs}
    if made.created:
        headers["Location"] = f"/api/v1/time-entries/{made.id}"
    return etags.with_etag(Answer(201 if made.created else 200, made.json.encode(), headers), made.version)


async def _read(call: Call) -> Answer:
    found = await _entry(call)
    if etags.is_unchanged(etags.if_none_match(call.request), found.version):
        return etags.with_etag(Answer(NOT_MODIFIED, b""), found.version)
    return etags.with_etag(Answer(200, found.json.encode()), found.version)


async def _update(call: Call) -> Answer:
    await editing.update(
        call.db,
        call.organization_id,
        call.id_in_path("id", "time entry"),
        call.body,
        condition=etags.if_match(call.request),
        sees=call.sees,
        actor=call.actor,
    )
    found = await _entry(call)
    return etags.with_etag(Answer(200, found.json.encode()), found.version)


async def _delete(call: Call) -> Answer:
    await editing.delete(
        call.db,
        call.organization_id,
        call.id_in_path("id", "time entry"),
        condition=etags.if_match(call.request),
        sees=call.sees,
        actor=call.actor,
    )
    return Answer(NO_CONTENT, b"")


async def _list(call: Call) -> Answer:
    query = _LISTING.read(call.request)
    return await _listed(call, query, Found(call.organization_id, _chosen(call, query), query.sort))


async def _list_of_project(call: Call) -> Answer:
    project_id = call.project_in_path()
    query = _PROJECT_LISTING.read(call.request)
    if not await search.project_exists(call.db, call.organization_id, project_id):
        raise not_found("project")
    return await _listed(call, query, Found(call.organization_id, filters.arguments(query, project_id), query.sort))


async def _listed(call: Call, query: Listing | ProjectListing, found: Found) -> Answer:
    if csv_form.is_asked_for(call):
        return await csv_form.answer(call.request, "time-entries", search.csv_lines(call.db, found))
    if query.cursor is UNSET:
        lines, total = await search.page(call.db, found, query.page_size, query.as_page().offset)
        return page(query.as_page(), total, [msgspec.Raw(line.encode()) for line in lines])
    if any(name == "page" for name, _ in call.request.query_pairs()):
        raise invalid([Problem("page", "not_with_cursor", "does not go with cursor; leave one of them out")])
    lines, next_cursor = await search.after(call.db, found, query.cursor, query.page_size)
    return ok({"data": [msgspec.Raw(line.encode()) for line in lines], "nextCursor": next_cursor})


async def _summarize(call: Call) -> Answer:
    query = _GROUPING.read(call.request)
    keys = summaries.keys_of(query.group_by)
    as_csv = csv_form.is_asked_for(call)
    summary = await summaries.summarize(call.db, call.organization_id, keys, _chosen(call, query))
    if as_csv:
        return await csv_form.answer(call.request, "time-entries-summary", summaries.csv_lines(keys, summary["groups"]))
    return ok(summary)


def _chosen(call: Call, query: Listing | summaries.Grouping) -> tuple[object, ...]:
    """The filters, within what the key sees: of a project that it does not see there is nothing."""
    named = None if query.project_id is UNSET else query.project_id
    project_id = named or call.caller.scoped_project_id
    return filters.arguments(query, project_id if call.sees(project_id) else _NO_PROJECT)


async def _entry(call: Call) -> one_entry.OneEntry:
    found = await one_entry.find(call.db, call.organization_id, call.id_in_path("id", "time entry"))
    if found is None or not call.sees(found.project_id):
        raise not_found("time entry")
    return found
