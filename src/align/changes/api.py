"""The operations on events, as the table of operations has them."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from align.access.admission import check, key_of
from align.access.calls import Act, Call, Calls, ok, page
from align.changes import audit, cursor, feed, waiting
from align.changes.audit import AuditEvent
from align.changes.feed import Changes, CursorExpired, Reader
from align.errors import ApiError, Problem, invalid
from align.events.events import ENTITY_TYPES, EntityType
from align.roles import TIME_KEEPERS
from align.web.http import Answer
from align.web.operation import Access, Operation, Success
from align.web.query import Page, Query

ACCESS = Access(scope="any", roles=TIME_KEEPERS, permission="read:events")

LATEST = "latest"
MAXIMUM_LIMIT = 1000
MAXIMUM_WAIT_SECONDS = 30
# While a request waits anyway, it looks so many times in a row for events of the types it asks for.
_LOOKS_IN_A_ROW = 20
_TYPE = f"({'|'.join(ENTITY_TYPES)})"


class ChangesQuery(msgspec.Struct, rename="camel", kw_only=True):
    """The parameters of `GET /changes`."""

    after: (
        Annotated[
            str,
            Meta(
                description="A cursor out of an earlier answer, or `latest` for a cursor of now. Without it the feed "
                "begins with the first event that is kept.",
                extra_json_schema={"pattern": f"^{LATEST}$|{cursor.PATTERN}"},
            ),
        ]
        | UnsetType
    ) = UNSET
    types: Annotated[
        list[Annotated[str, Meta(extra_json_schema={"pattern": f"^{_TYPE}(,{_TYPE})*$"})]],
        Meta(description=f"Only events about things of these types, separated by commas: {', '.join(ENTITY_TYPES)}."),
    ] = msgspec.field(default_factory=list)
    limit: Annotated[int, Meta(ge=1, le=MAXIMUM_LIMIT, description="At most so many changes.")] = 100
    wait: Annotated[
        int, Meta(ge=0, le=MAXIMUM_WAIT_SECONDS, description="Seconds to wait for a change if there is none yet.")
    ] = 0


class AuditQuery(Page, rename="camel", kw_only=True):
    """The parameters of `GET /audit-events`."""

    entity_type: Annotated[EntityType, Meta(description="Only events about things of this type.")] | UnsetType = UNSET
    action: Annotated[str, Meta(min_length=1, max_length=100, description="Only events of this name.")] | UnsetType = (
        UNSET
    )
    entity_id: Annotated[UUID, Meta(description="Only events about this thing.")] | UnsetType = UNSET
    actor_id: Annotated[UUID, Meta(description="Only what this user did.")] | UnsetType = UNSET
    since: Annotated[datetime, Meta(tz=True, description="Not before this time.")] | UnsetType = msgspec.field(
        name="from", default=UNSET
    )
    before: Annotated[datetime, Meta(tz=True, description="Before this time.")] | UnsetType = msgspec.field(
        name="to", default=UNSET
    )


class AuditEventPage(msgspec.Struct, rename="camel", kw_only=True):
    """One page of events, newest first."""

    data: list[AuditEvent]
    page: int
    page_size: int
    total: Annotated[int, Meta(description="Of all pages together.")]


CHANGES = Query(ChangesQuery)
AUDIT = Query(AuditQuery)


def operations(calls: Calls) -> list[Operation]:
    """The operations, with their handlers."""
    return [_changes(calls), _audit_events(calls)]


async def list_audit_events(call: Call) -> Answer:
    """A page of the events that the key may see and the query asks for."""
    query = AUDIT.read(call.request)
    filters = audit.Filters(
        project_id=call.caller.scoped_project_id,
        entity_type=_given(query.entity_type),
        action=_given(query.action),
        entity_id=_given(query.entity_id),
        actor_id=_given(query.actor_id),
        since=_given(query.since),
        before=_given(query.before),
    )
    async with call.pool.acquire() as connection, connection.transaction(readonly=True):
        total, events = await audit.find(connection, call.organization_id, filters, query.page_size, query.offset)
    return page(query, total, events)


def _given(value: Any) -> Any:
    return None if value is UNSET else value


def follow(calls: Calls) -> Act:
    """The handler of `GET /changes`."""

    async def act(call: Call) -> Answer:
        query = CHANGES.read(call.request)
        reader = Reader(
            organization_id=call.organization_id,
            project_id=call.caller.scoped_project_id,
            types=_types(query.types),
            limit=query.limit,
        )
        if query.after == LATEST:
            async with call.pool.acquire() as connection:
                return ok(await feed.latest(connection, reader))
        look = _Look(call, reader, _given(query.after), _LOOKS_IN_A_ROW if query.wait else 1)
        if await waiting.until(look, call.request, call.caller.api_key_id, query.wait):
            # What the key may do is asked again: it may have been revoked while the request waited.
            check(await calls.admission.authentication.caller(key_of(call.request)), ACCESS)
        return ok(look.seen)

    return act


class _Look:
    """Looks for changes, from where the last look ended."""

    def __init__(self, call: Call, reader: Reader, after: str | None, times: int) -> None:
        self._call = call
        self._reader = reader
        self._after = after
        self._times = times
        self.seen: Changes | None = None

    async def __call__(self) -> bool:
        """Whether there is something to tell."""
        async with self._call.pool.acquire() as connection:
            for _ in range(self._times):
                try:
                    self.seen = await feed.read(connection, self._reader, self._after)
                except cursor.Malformed:
                    raise invalid([Problem("after", "invalid_cursor", _MALFORMED)]) from None
                except CursorExpired:
                    raise ApiError("cursor_expired", _EXPIRED) from None
                self._after = self.seen.next_cursor
                if self.seen.data or not self.seen.has_more:
                    break
        return bool(self.seen and (self.seen.data or self.seen.has_more))


_MALFORMED = "must be a cursor of this organisation, exactly as it was given out, or 'latest'"
_EXPIRED = (
    "the cursor is older than what is kept, or from before a restore of the database; read again from the start: "
    "take a cursor with after=latest, read the lists, then follow the cursor"
)


def _types(given: list[str]) -> tuple[str, ...]:
    """The types asked for. Raises ApiError 400."""
    types = tuple(dict.fromkeys(each for text in given for each in text.split(",")))
    if set(types) - set(ENTITY_TYPES):
        text = f"must be one or more of: {', '.join(ENTITY_TYPES)}; separated by commas"
        raise invalid([Problem("types", "unknown_value", text)])
    return types


_CURSOR = "cur_AYmX3p6pPQAAAAEAAAAAAAAC8gGamMqZ9nqxnvLbDyFkpd8nu1yE"
_ENTRY_ID = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
_ACTOR_ID = "9a8b7c6d-0000-0000-0000-000000000002"
_API_KEY_ID = "0c6a2f0e-0000-0000-0000-000000000004"
_BEFORE = {"status": "submitted"}
_AFTER = {"status": "approved"}


def _changes(calls: Calls) -> Operation:
    return calls.reading(
        follow(calls),
        access=ACCESS,
        query=CHANGES,
        path="/changes",
        name="followChanges",
        tag="Events",
        summary="Follow everything that changes",
        description=(
            "Every change of the organisation as one event, in an order that no late commit gets ahead of: a reader "
            "that follows `nextCursor` sees each event exactly once, and those of one thing in the order they were "
            "made. To load everything and stay up to date: take a cursor with `after=latest`, read the lists, then "
            "follow the cursor.\n\n"
            "`entity` is the thing as it is when the feed is read, which may be newer than the event. With `wait` an "
            "answer without changes comes only after so many seconds. `hasMore` with empty `data` means that the "
            "events looked at were of other types: go on with `nextCursor`. A project's key sees the events of its "
            "project. A cursor from before a restore, or older than what is kept, is refused with 410."
        ),
        successes=(Success(200, "The next changes, perhaps none.", Changes, _CHANGES_EXAMPLE),),
        errors=("cursor_expired", "overloaded", "request_timeout"),
    )


def _audit_events(calls: Calls) -> Operation:
    return calls.reading(
        list_audit_events,
        access=ACCESS,
        query=AUDIT,
        path="/audit-events",
        name="listAuditEvents",
        tag="Events",
        summary="Look up who changed what",
        description=(
            "Every change of the organisation, newest first, with its actor and the changed members before and "
            "after. A project's key sees the events of its project. To keep a copy up to date, follow `GET /changes`."
        ),
        successes=(Success(200, "One page of events.", AuditEventPage, _AUDIT_EXAMPLE),),
    )


_CHANGES_EXAMPLE = {
    "data": [
        {
            "cursor": _CURSOR,
            "id": "019a98ca-99f6-7ab1-9ef2-db0f2164a5df",
            "eventName": "time.approved",
            "change": "upsert",
            "entityType": "time_entry",
            "entityId": _ENTRY_ID,
            "occurredAt": "2025-01-15T10:30:00Z",
            "actorUserId": _ACTOR_ID,
            "actorApiKeyId": _API_KEY_ID,
            "before": _BEFORE,
            "after": _AFTER,
            "entity": {"id": _ENTRY_ID, "status": "approved", "minutes": 150},
        }
    ],
    "nextCursor": _CURSOR,
    "hasMore": False,
}
_AUDIT_EXAMPLE = {
    "data": [
        {
            "id": "019a98ca-99f6-7ab1-9ef2-db0f2164a5df",
            "entityType": "time_entry",
            "action": "time.approved",
            "entityId": _ENTRY_ID,
            "entityName": "Sprint planning session.",
            "actorId": _ACTOR_ID,
            "metadata": {"actorType": "api_key", "apiKeyId": _API_KEY_ID, "before": _BEFORE, "after": _AFTER},
            "createdAt": "2025-01-15T10:30:00Z",
        }
    ],
    "page": 1,
    "pageSize": 25,
    "total": 1,
}
