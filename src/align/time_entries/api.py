"""The integration operations on time entries, as the table of operations has them."""

import json

from align.access.calls import Calls
from align.access.documentation import IDEMPOTENCY_KEY, errors_of
from align.time_entries import batch_body, reading
from align.time_entries.batch import Batch
from align.time_entries.batch_body import SyncedTimeEntries, SyncTimeEntries
from align.time_entries.batch_stream import NDJSON
from align.time_entries.model import ENTRY_EXAMPLE, LinkedTimeEntry, SyncedTimeEntry, SyncTimeEntry
from align.time_entries.refusing import READ, WRITE
from align.time_entries.sync import Sync
from align.web.operation import Header, Operation, Success

_REQUEST_EXAMPLE = {
    "projectId": "7b1e2c3d-0000-0000-0000-000000000001",
    "userId": "9a8b7c6d-0000-0000-0000-000000000002",
    "workDate": "2025-01-15",
    "minutes": 150,
    "billable": True,
    "description": "Sprint planning session.",
    "externalSystem": "illumera",
    "externalId": "illumera-te-001",
}
_LINK_ID = "aa1b2c3d-0000-0000-0000-000000000099"
_SYNCED_EXAMPLE = {**ENTRY_EXAMPLE, "integrationLinkId": _LINK_ID, "created": True}
_RESULT_EXAMPLE = {"index": 0, "status": 201, "entry": _SYNCED_EXAMPLE}
_STREAM_EXAMPLE = f"{json.dumps(_RESULT_EXAMPLE)}\n{json.dumps({'created': 1, 'existing': 0, 'failed': 0})}\n"
_LINKED_EXAMPLE = {
    **ENTRY_EXAMPLE,
    "externalMetadata": {"taskName": "Planning", "projectCode": "ALPHA"},
    "integrationLinks": [
        {
            "id": _LINK_ID,
            "organizationId": ENTRY_EXAMPLE["organizationId"],
            "provider": "illumera",
            "externalType": "time_entry",
            "externalId": "illumera-te-001",
            "alignEntityType": "time_entry",
            "alignEntityId": ENTRY_EXAMPLE["id"],
            "createdAt": "2025-01-15T10:30:00.000000Z",
        }
    ],
}

_DIFFERS = Header("Content-Differs", "Names of members whose values differ from the stored entry, which is unchanged.")
_LOCATION = Header("Location", "Path of the time entry.")


def operations(calls: Calls, sync: Sync, batch: Batch) -> list[Operation]:
    """The operations, with their handlers."""
    return [_sync(sync), _sync_batch(batch), _find_by_pair(calls), _find_by_id(calls)]


def _sync(sync: Sync) -> Operation:
    return Operation(
        method="POST",
        path="/integration/time-entries",
        name="syncTimeEntry",
        tag="Integration",
        summary="Sync a time entry from an external system",
        description=(
            "Creates the time entry of `externalSystem` + `externalId`, exactly once: the first call creates it "
            "(201), every later call returns the entry that exists (200), however often and from wherever it is "
            "repeated. An existing entry is never changed by a sync; `Content-Differs` names what differs.\n\n"
            "Needs an organisation's key, and the plan feature `time_tracking`. Answers only after the entry, its "
            "link, its event and the idempotency row are committed together."
        ),
        handler=sync.handle,
        request=SyncTimeEntry,
        request_example=_REQUEST_EXAMPLE,
        request_headers=(IDEMPOTENCY_KEY,),
        successes=(
            Success(
                200,
                "The time entry existed already (`created` is false).",
                SyncedTimeEntry,
                {**_SYNCED_EXAMPLE, "created": False},
                (_DIFFERS,),
            ),
            Success(
                201,
                "The time entry was created.",
                SyncedTimeEntry,
                _SYNCED_EXAMPLE,
                (_LOCATION,),
            ),
        ),
        errors=(
            "validation_error",
            "idempotency_key_invalid",
            *errors_of(WRITE),
            "not_found",
            "request_timeout",
            "idempotency_in_progress",
            "project_archived",
            "time_entry_deleted",
            "payload_too_large",
            "unsupported_media_type",
            "idempotency_key_reused",
            "source_violation",
            "period_locked",
            "overloaded",
        ),
        also_without_prefix=True,
        access=WRITE,
    )


def _sync_batch(batch: Batch) -> Operation:
    return Operation(
        method="POST",
        path="/integration/time-entries/batch",
        name="syncTimeEntries",
        tag="Integration",
        summary="Sync many time entries with one request",
        description=(
            "Each of the 1 to 1,000 members of `entries` is synced as by the single operation, and `results` says in "
            "the same order what became of it. One refused member never harms the others. A pair that occurs twice: "
            "the first creates, the second is found. With `?atomic=true` all are stored or none: if any is refused, "
            "the answer is 409 `batch_rejected` with all results. Each member counts against the rate limit. Under an "
            "`Idempotency-Key` the answer is kept unless a member failed for a reason that passes (409 "
            "`idempotency_in_progress`, 500, 503).\n\n"
            "**As a stream**: with `Content-Type: application/x-ndjson` the body is one member a line, up to 100,000 "
            "lines, and the answer is one result a line while the request still arrives, then a last line with the "
            "counts `created`, `existing` and `failed`; without that line the stream was cut. Lines are stored in "
            "groups as they come. Read while you write: an answer left unread for a minute ends the connection. A "
            "line that was not stored for want of requests has status 429. `Idempotency-Key` and `atomic` go with "
            "the JSON form only; repeating lines is safe."
        ),
        handler=batch.handle,
        request=SyncTimeEntries,
        request_example={"entries": [_REQUEST_EXAMPLE]},
        request_headers=(IDEMPOTENCY_KEY,),
        parameters=batch_body.QUERY.parameters(),
        successes=(
            Success(
                200,
                "Every member was looked at; see `results`.",
                SyncedTimeEntries,
                {
                    "created": 1,
                    "existing": 0,
                    "failed": 0,
                    "results": [_RESULT_EXAMPLE],
                },
                media_types={NDJSON: _STREAM_EXAMPLE},
            ),
        ),
        errors=(
            "validation_error",
            "idempotency_key_invalid",
            *errors_of(WRITE),
            "request_timeout",
            "idempotency_in_progress",
            "batch_rejected",
            "payload_too_large",
            "unsupported_media_type",
            "idempotency_key_reused",
        ),
        also_without_prefix=True,
        access=WRITE,
    )


def _find_by_pair(calls: Calls) -> Operation:
    return calls.reading(
        reading.by_pair,
        access=READ,
        query=reading.PAIR,
        path="/integration/time-entries",
        name="findSyncedTimeEntry",
        tag="Integration",
        summary="Find a time entry by its external id",
        description="The time entry of `externalSystem` + `externalId`, to check whether a sync has arrived.",
        successes=(Success(200, "The time entry.", LinkedTimeEntry, _LINKED_EXAMPLE),),
        errors=("not_found", "time_entry_deleted"),
        also_without_prefix=True,
    )


def _find_by_id(calls: Calls) -> Operation:
    return calls.reading(
        reading.by_id,
        access=READ,
        path="/integration/time-entries/{id}",
        name="getSyncedTimeEntry",
        tag="Integration",
        summary="Read a time entry with its links",
        description="The time entry with its integration links and the metadata that came with it.",
        successes=(Success(200, "The time entry.", LinkedTimeEntry, _LINKED_EXAMPLE),),
        also_without_prefix=True,
    )
