"""A batch as a stream of lines: read, stored and answered in groups as they come, whatever its length."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Hashable

import msgspec

from align.access.admission import Admission, check_plan, key_of
from align.access.authentication import Caller
from align.errors import ApiError, Problem, body, invalid
from align.time_entries import batch_body, batch_members, refusing
from align.time_entries.batch_body import Member
from align.time_entries.batch_members import Result
from align.time_entries.writer import Writer
from align.web.http import ClientGone, Request, StreamedAnswer

NDJSON = "application/x-ndjson"
MAXIMUM_LINES = 100_000
# Lines that go down together: those that came while the statements before were under way, up to this many.
LINES_PER_STATEMENT = 500
STATEMENTS_PER_STREAM = 2

_MEDIA_TYPE = re.compile(rb'application/x-ndjson\s*(;\s*charset\s*=\s*"?utf-8"?\s*)?', re.IGNORECASE)

_Group = asyncio.Task[list[Result]]


class Stream:
    """The second form of `POST /integration/time-entries/batch`."""

    def __init__(self, admission: Admission, writer: Writer) -> None:
        self._admission = admission
        self._writer = writer

    async def handle(self, request: Request) -> StreamedAnswer:
        """Begin to answer; the lines are read while the answer is sent. Raises ApiError for a refusal of all."""
        caller = await self._admission.authentication.caller(key_of(request))
        await batch_members.admit(self._admission, request, caller, 1)
        if b"idempotency-key" in request.headers:
            raise ApiError(
                "idempotency_key_invalid", "Idempotency-Key does not go with a stream; each line is safe to repeat"
            )
        check_plan(caller, refusing.WRITE)
        _check_form(request)
        return StreamedAnswer(200, self._answer(request, caller), NDJSON)

    async def _answer(self, request: Request, caller: Caller) -> AsyncGenerator[bytes, None]:
        """The results in the order of the lines, then the line with the counts; without that the stream was cut."""
        counts = batch_members.counts([])
        started: asyncio.Queue[_Group | None] = asyncio.Queue()
        room = asyncio.Semaphore(STATEMENTS_PER_STREAM)
        reader = asyncio.create_task(self._read(request, caller, started, room))
        try:
            while (group := await started.get()) is not None:
                yield _lines(await group, counts)
                room.release()
            yield _end(request, counts, await reader)
        except ClientGone:
            return
        finally:
            # What was sent down is finished, whoever stopped listening.
            reader.cancel()
            left = [started.get_nowait() for _ in range(started.qsize())]
            await asyncio.gather(reader, *(group for group in left if group), return_exceptions=True)

    async def _read(
        self, request: Request, caller: Caller, started: "asyncio.Queue[_Group | None]", room: asyncio.Semaphore
    ) -> ApiError | None:
        """Start to store each group of lines; None ends them. Returns why reading stopped early; raises ClientGone."""
        first_index = 0
        before: _Group | None = None
        pairs_before: set[Hashable] = set()
        try:
            async for lines in _groups(batch_body.lines(request)):
                await room.acquire()
                members, refused = await self._look_at(request, caller, lines, first_index)
                pairs = {member.row.exclusive_keys[0] for member in members if member.row}
                if before is not None and not pairs.isdisjoint(pairs_before):
                    await asyncio.wait([before])  # the first line of a pair creates its entry
                before, pairs_before = asyncio.create_task(self._store(request, members, refused, first_index)), pairs
                started.put_nowait(before)
                first_index += len(lines)
        except ApiError as error:
            return error
        finally:
            started.put_nowait(None)
        return None

    async def _look_at(
        self, request: Request, caller: Caller, lines: list[bytes], first_index: int
    ) -> tuple[list[Member], list[Result]]:
        """The lines that the rate limit lets in, and the results of the others, which come after them."""
        admitted, refusal = await self._admit(request, caller, len(lines), first_index == 0)
        members = await batch_members.decode(caller, lines[:admitted])
        if refusal is None:
            return members, []
        return members, batch_members.refused(request, refusal, len(lines) - admitted, first_index + admitted)

    async def _store(
        self, request: Request, members: list[Member], refused: list[Result], first_index: int
    ) -> list[Result]:
        return await batch_members.settle(self._writer, request, members, first_index) + refused

    async def _admit(self, request: Request, caller: Caller, count: int, is_first: bool) -> tuple[int, ApiError | None]:
        """How many of `count` lines the rate limit lets in, and the refusal of the others."""
        admitted = 1 if is_first else 0  # the first line was counted with the request
        cost = count - admitted
        while cost:
            cost = min(cost, caller.rate_limit_per_minute or cost)
            try:
                await self._admission.pass_on(request, caller, refusing.WRITE, cost)
            except ApiError as error:
                if cost == 1:
                    return admitted, error
                # What is left, if anything; more than that was just refused.
                cost = min(cost - 1, max(1, int(error.headers.get("X-RateLimit-Remaining", "0"))))
            else:
                admitted += cost
                cost = count - admitted
        return admitted, None


def _check_form(request: Request) -> None:
    if not _MEDIA_TYPE.fullmatch(request.headers[b"content-type"]):
        raise ApiError("unsupported_media_type", f"send the lines as 'Content-Type: {NDJSON}', in UTF-8")
    if request.headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise ApiError("unsupported_media_type", "send the lines uncompressed, without Content-Encoding")
    if batch_body.QUERY.read(request).atomic:
        raise invalid([Problem("atomic", "not_with_stream", "goes with the JSON form only")])


async def _groups(arriving: AsyncIterator[list[bytes]]) -> AsyncIterator[list[bytes]]:
    """The lines in groups that go down together. Raises ApiError 413 after MAXIMUM_LINES of them."""
    left = MAXIMUM_LINES
    async for lines in arriving:
        taken = lines[:left]
        left -= len(taken)
        for start in range(0, len(taken), LINES_PER_STATEMENT):
            yield taken[start : start + LINES_PER_STATEMENT]
        if len(taken) < len(lines):
            raise ApiError("payload_too_large", f"a stream takes {MAXIMUM_LINES} lines; send the rest in another")


def _lines(results: list[Result], counts: Counter[str]) -> bytes:
    counts.update(batch_members.counts(results))
    return b"".join(result.text + b"\n" for result in results)


def _end(request: Request, counts: Counter[str], stopped: ApiError | None) -> bytes:
    end: dict[str, object] = dict(counts)
    if stopped is not None:
        end["error"] = body(stopped, request.id)
    return msgspec.json.encode(end) + b"\n"
