"""`POST /integration/reconcile`: a sender's own list in, what differs out."""

import asyncio
import re
import tempfile
from typing import IO

from align.access.admission import Admission
from align.access.calls import Call
from align.errors import ApiError
from align.reconciliation import comparing, period
from align.reconciliation.comparing import List
from align.reconciliation.differences import BYTES_IN_MEMORY, Differences
from align.reconciliation.period import Period
from align.reconciliation.snapshot import snapshot
from align.time_entries import batch_body, refusing
from align.web import body as bodies
from align.web.http import Answer, StreamedAnswer
from align.web.query import Query

NDJSON = "application/x-ndjson"
MAXIMUM_LINES = 100_000
MAXIMUM_BYTES = 64 * 1024 * 1024
# The request itself counts as one against the rate limit, and is good for so many lines.
LINES_PER_COUNT = 1000
# Each holds the places of its lines in memory, and a connection; lists that still arrive lie in files, and hold none.
COMPARISONS_AT_ONCE = 2
PATIENCE_SECONDS = 10

QUERY = Query(Period)
_MEDIA_TYPE = re.compile(rb'application/x-ndjson\s*(;\s*charset\s*=\s*"?utf-8"?\s*)?', re.IGNORECASE)


class Reconcile:
    """The operation."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._room = asyncio.Semaphore(COMPARISONS_AT_ONCE)

    async def answer(self, call: Call) -> Answer:
        """Take the whole list, compare it, and only then begin to answer: what is refused has a status."""
        wanted = period.read(call, QUERY)
        _check_form(call)
        with tempfile.SpooledTemporaryFile(BYTES_IN_MEMORY) as file:
            await self._receive(call, file)
            found = Differences()
            try:
                await self._compare(call, wanted, file, found)
            except BaseException:
                found.close()
                raise
        return StreamedAnswer(200, found.chunks(), NDJSON)

    async def _receive(self, call: Call, file: IO[bytes]) -> None:
        """Keep the lines, without blank ones. Raises ApiError 413 for too many, 429 when they cost too much."""
        count, size, paid = 0, 0, LINES_PER_COUNT
        async for lines in batch_body.lines(call.request):
            count += len(lines)
            size += sum(map(len, lines)) + len(lines)
            if count > MAXIMUM_LINES or size > MAXIMUM_BYTES:
                text = f"a list takes {MAXIMUM_LINES} lines and {MAXIMUM_BYTES} bytes; send a shorter range of days"
                raise ApiError("payload_too_large", text, maximumBytes=MAXIMUM_BYTES)
            if count > paid:
                cost = -((paid - count) // LINES_PER_COUNT)
                paid += cost * LINES_PER_COUNT
                await self._admission.pass_on(call.request, call.caller, refusing.READ, cost)
            file.writelines(line + b"\n" for line in lines)

    async def _compare(self, call: Call, wanted: Period, file: IO[bytes], found: Differences) -> None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._room.acquire()
        except TimeoutError:
            text = "other lists are still being compared; repeat in a second"
            raise ApiError("overloaded", text, headers={"Retry-After": "1"}) from None
        try:
            listed = List(file)
            await listed.read(wanted.external_system, call.request.id, found, strict=call.caller.strict)
            async with snapshot(call.pool) as tx:
                await comparing.compare(tx, call.organization_id, wanted, listed, found)
        finally:
            self._room.release()
        if listed.unknown and not call.caller.strict:
            call.request.answer_headers["Ignored-Fields"] = bodies.ignored_fields(list(listed.unknown))


def _check_form(call: Call) -> None:
    headers = call.request.headers
    if not _MEDIA_TYPE.fullmatch(headers.get(b"content-type", b"")):
        raise ApiError("unsupported_media_type", f"send the lines as 'Content-Type: {NDJSON}', in UTF-8")
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise ApiError("unsupported_media_type", "send the lines uncompressed, without Content-Encoding")
