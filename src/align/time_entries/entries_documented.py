"""What the OpenAPI document says of the operations in entries_api."""

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from align.time_entries import csv_form, search
from align.time_entries.entry_bodies import CreatedTimeEntry, DetailedTimeEntry
from align.time_entries.model import ENTRY_EXAMPLE, TimeEntry
from align.time_entries.summary import Summary
from align.web import etags
from align.web.operation import Header, Success


class TimeEntryList(Struct, rename="camel", kw_only=True):
    """A part of a list: a page with `page`, `pageSize` and `total`, or with `cursor` what follows it."""

    data: list[TimeEntry]
    page: Annotated[int, Meta(description="Without `cursor`.")] | UnsetType = UNSET
    page_size: Annotated[int, Meta(description="Without `cursor`.")] | UnsetType = UNSET
    total: Annotated[int, Meta(description="Without `cursor`: all that the filters leave.")] | UnsetType = UNSET
    next_cursor: (
        Annotated[str | None, Meta(description="With `cursor`: what to ask for next; null at the end.")] | UnsetType
    ) = UNSET


_TAG = "Time entries"
_ENTRY: dict[str, Any] = {**ENTRY_EXAMPLE, "source": "api"}
_DETAILED = {
    **_ENTRY,
    "externalMetadata": None,
    "integrationLinks": [],
    "statusReason": None,
    "invoiceReference": None,
}
_SUMS = {"minutes": 150, "hours": "2.50", "billableMinutes": 150, "count": 1, "billableCount": 1}
_GROUP = {"projectId": _ENTRY["projectId"], "projectName": "Website relaunch", "week": "2025-W03"}
_ENTRY_LINE = (
    "3fa85f64-5717-4562-b3fc-2c963f66afa6,5c0e9a7e-0000-0000-0000-000000000003,"
    "7b1e2c3d-0000-0000-0000-000000000001,9a8b7c6d-0000-0000-0000-000000000002,,2025-01-15,2.5,150,"
    '"Sprint planning session.",true,"api",draft,false,2025-01-15T10:30:00.000000Z,2025-01-15T10:30:00.000000Z\r\n'
)
_GROUP_LINES = (
    "projectId,projectName,minutes,hours,billableMinutes,count,billableCount\r\n"
    '7b1e2c3d-0000-0000-0000-000000000001,"Website relaunch",150,2.50,150,1,1\r\n'
)
_LOCATION = Header("Location", "Path of the time entry.")
_DIFFERS = Header("Content-Differs", "Names of members whose values differ from the stored entry, which is unchanged.")
_CSV_TEXT = (
    "With `Accept: text/csv` the answer is CSV (RFC 4180, UTF-8, a header row), streamed; if it breaks off, the "
    "connection ends without the last chunk. A text that begins with `=`, `+`, `-`, `@`, `'`, tab or a line end has "
    "one `'` in front of it, so that no spreadsheet takes it for a formula; take it off to have the text."
)
_LIST_TEXT = (
    "Pages count from 1 and tell the `total`. For deep reads send `cursor=start`, then the `nextCursor` of each "
    "answer, with the same filters: each time entry that exists throughout is seen exactly once, whatever is created "
    f"and deleted meanwhile.\n\n{_CSV_TEXT} CSV is the whole list, without pages."
)
_LIST_SUCCESSES = (
    Success(
        200,
        "A part of the list; all of it as CSV.",
        TimeEntryList,
        {"data": [_ENTRY], "page": 1, "pageSize": 25, "total": 1},
        csv_form.HEADERS,
        media_types={csv_form.MEDIA_TYPE: search.CSV_HEAD + _ENTRY_LINE},
    ),
)

CREATE: dict[str, Any] = {
    "path": "/projects/{id}/time-entries",
    "name": "createTimeEntry",
    "tag": _TAG,
    "summary": "Create a time entry",
    "description": (
        "Send `minutes`, or `hours` that give whole minutes; `minutes` wins. With an `externalRef` that is known, the "
        "time entry that exists is answered (200, `created` is false), and `Content-Differs` names what differs; the "
        "reference of a deleted one is refused (410). The new time entry, its link and its event are stored together."
    ),
    "request_example": {
        "userId": _ENTRY["userId"],
        "workDate": "2025-01-15",
        "hours": "2.5",
        "description": "Sprint planning session.",
        "externalRef": {"provider": "harvest", "externalType": "time_entry", "externalId": "4711"},
    },
    "successes": (
        Success(
            200,
            "The reference is known (`created` is false).",
            CreatedTimeEntry,
            {**_ENTRY, "created": False},
            (_DIFFERS, etags.ETAG),
        ),
        Success(
            201,
            "The time entry was created.",
            CreatedTimeEntry,
            {**_ENTRY, "created": True},
            (_LOCATION, etags.ETAG),
        ),
    ),
    "errors": ("project_archived", "period_locked", "external_ref_conflict", "time_entry_deleted", "source_violation"),
}
LIST: dict[str, Any] = {
    "path": "/time-entries",
    "name": "listTimeEntries",
    "tag": _TAG,
    "summary": "List the organisation's time entries",
    "description": _LIST_TEXT,
    "successes": _LIST_SUCCESSES,
}
LIST_OF_PROJECT: dict[str, Any] = {
    "path": "/projects/{id}/time-entries",
    "name": "listTimeEntriesOfProject",
    "tag": _TAG,
    "summary": "List a project's time entries",
    "description": _LIST_TEXT,
    "successes": _LIST_SUCCESSES,
}
SUMMARY: dict[str, Any] = {
    "path": "/time-entries/summary",
    "name": "summarizeTimeEntries",
    "tag": _TAG,
    "summary": "Sum time entries",
    "description": (
        "Minutes, billable minutes and counts by one or two keys, and of all together. Weeks are those of ISO 8601. "
        "A project's key sums its project. More than 20,000 groups are refused (400 `too_many_groups`).\n\n"
        f"{_CSV_TEXT} CSV has the groups without the totals."
    ),
    "successes": (
        Success(
            200,
            "The sums.",
            Summary,
            {
                "groupBy": ["project", "week"],
                "groups": [{**_GROUP, "weekStart": "2025-01-13", **_SUMS}],
                "totals": _SUMS,
            },
            csv_form.HEADERS,
            media_types={csv_form.MEDIA_TYPE: _GROUP_LINES},
        ),
    ),
}
READ: dict[str, Any] = {
    "path": "/time-entries/{id}",
    "name": "getTimeEntry",
    "tag": _TAG,
    "summary": "Read a time entry",
    "description": "The time entry with its links, its metadata, and the reason or invoice of its status.",
    "request_headers": (etags.IF_NONE_MATCH,),
    "successes": (
        Success(200, "The time entry.", DetailedTimeEntry, _DETAILED, (etags.ETAG,)),
        Success(304, "It is as `If-None-Match` says.", headers=(etags.ETAG,)),
    ),
    "errors": ("validation_error",),
}
UPDATE: dict[str, Any] = {
    "method": "PATCH",
    "path": "/time-entries/{id}",
    "name": "updateTimeEntry",
    "tag": _TAG,
    "summary": "Change a time entry",
    "description": (
        "Changes what is sent; `null` clears `description` and `entryId`. Only in the statuses draft and rejected, and "
        "outside locked periods, the old day and the new. What is as it was is no change and makes no new version. "
        "With `If-Match` it changes only what the sender has seen."
    ),
    "request_example": {"minutes": 90, "description": "Sprint planning, first half."},
    "request_headers": (etags.IF_MATCH,),
    "successes": (Success(200, "The time entry as it is now.", DetailedTimeEntry, _DETAILED, (etags.ETAG,)),),
    "errors": ("precondition_failed", "invalid_transition", "period_locked", "project_archived"),
}
DELETE: dict[str, Any] = {
    "method": "DELETE",
    "path": "/time-entries/{id}",
    "name": "deleteTimeEntry",
    "tag": _TAG,
    "summary": "Delete a time entry",
    "description": (
        "Only in the statuses draft and rejected, and outside locked periods. The external ids of the time entry stay "
        "taken: a later sync of them gets 410 `time_entry_deleted`."
    ),
    "request_headers": (etags.IF_MATCH,),
    "successes": (Success(204, "It was deleted."),),
    "errors": ("validation_error", "precondition_failed", "invalid_transition", "period_locked"),
}
