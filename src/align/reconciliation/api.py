"""The operations with which a sender checks that both sides agree, as the table of operations has them."""

import msgspec

from align.access.calls import Calls
from align.errors import ApiError
from align.reconciliation import checksum, reconcile
from align.reconciliation.checksum import Checksum
from align.reconciliation.differences import (
    DifferentEntry,
    DuplicateLine,
    ExtraEntry,
    InvalidLine,
    MissingEntry,
    ReconciliationSummary,
)
from align.reconciliation.lines import ListedEntry
from align.reconciliation.reconcile import MAXIMUM_LINES, NDJSON, Reconcile
from align.time_entries.refusing import READ
from align.web.http import Answer, Request
from align.web.operation import Handler, Operation, Success

_HASH = "3f0f3a2b8c1d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7"
_CHECKSUM_EXAMPLE = {
    "externalSystem": "jira",
    "startDate": "2025-01-01",
    "endDate": "2025-01-31",
    "groupBy": "day",
    "includeStatus": True,
    "groups": [{"key": "2025-01-15", "count": 2, "minutes": 240, "hash": _HASH}],
    "total": {"count": 2, "minutes": 240, "hash": _HASH},
}


_RECONCILE = (
    "The sender posts its entries of a range of days, one a line (`application/x-ndjson`, up to "
    f"{MAXIMUM_LINES:,} lines), and gets one line for each difference, then one with the counts; without that "
    "the answer was cut. Nothing is changed.\n\n"
    "`missing`: in the list, but not here, or deleted here. `extra`: here, on a day of the range, but not in "
    "the list. `different`: on both sides, with other values; of each line those members are compared that it "
    "has. An entry that lies on a day outside the range here differs in `workDate`. `invalid` and `duplicate` "
    "are lines that were not compared; an entry here is not `extra` if its external id stands in an invalid "
    "line.\n\n"
    "All is compared on one snapshot of the data. The call counts as one request against the rate limit, and "
    "as one more for each further 1,000 lines."
)


def operations(calls: Calls) -> list[Operation]:
    """The operations, with their handlers."""
    return [_checksum(calls), _reconcile(calls)]


def _checksum(calls: Calls) -> Operation:
    return calls.reading(
        checksum.answer,
        access=READ,
        query=checksum.QUERY,
        path="/integration/checksum",
        name="getChecksum",
        tag="Integration",
        summary="Compare what both sides hold, by checksums",
        description=(
            "The number of entries of one external system, their minutes and a hash, by day, project or user, and in "
            "total: if a sender computes the same, both sides hold the same.\n\n"
            "The hash is SHA-256, in lower-case hex, over one line for each entry: `externalId`, `minutes`, `workDate` "
            "(`YYYY-MM-DD`) and `status`, with a tab (U+0009) between them and a line feed (U+000A) after each, in "
            "UTF-8; the external ids in Unicode NFC, the lines in the order of the external ids' bytes. With "
            "`includeStatus=false` the lines end after `workDate`. Deleted entries are left out; an entry that is "
            "linked under two ids of the system counts under each. Groups without entries are left out; the hash of "
            "no entries is that of the empty text."
        ),
        successes=(Success(200, "The checksums, on one snapshot of the data.", Checksum, _CHECKSUM_EXAMPLE),),
        errors=("source_violation",),
        also_without_prefix=True,
    )


def _reconcile(calls: Calls) -> Operation:
    operation = calls.reading(
        Reconcile(calls.admission).answer,
        access=READ,
        query=reconcile.QUERY,
        method="POST",
        path="/integration/reconcile",
        name="reconcileTimeEntries",
        tag="Integration",
        summary="Compare a sender's list with what is stored, entry by entry",
        description=_RECONCILE,
        request=ListedEntry,
        request_media_type=NDJSON,
        request_example={"externalId": "jira-1001", "workDate": "2025-01-15", "minutes": 90},
        successes=(
            Success(
                200,
                "One line for each difference, then the counts.",
                MissingEntry | ExtraEntry | DifferentEntry | InvalidLine | DuplicateLine | ReconciliationSummary,
                {
                    "kind": "different",
                    "externalId": "jira-1001",
                    "line": 1,
                    "id": "3fa85f64-5717-4562-b3fc-2c963f66afa6",
                    "fields": {"minutes": {"theirs": 90, "ours": 60}},
                },
                media_type=NDJSON,
            ),
        ),
        errors=("source_violation", "request_timeout", "payload_too_large", "unsupported_media_type", "overloaded"),
        also_without_prefix=True,
    )
    return msgspec.structs.replace(operation, handler=_to_the_end(operation.handler))


def _to_the_end(handler: Handler) -> Handler:
    """Senders of lists send first and read afterwards: a refusal that came with a closed connection would be lost."""

    async def handle(request: Request) -> Answer:
        try:
            return await handler(request)
        except ApiError:
            await request.discard()
            raise

    return handle
