"""Sync many time entries with one request: a JSON object of up to 1,000 members, or a stream of lines."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID
from weakref import WeakValueDictionary

import asyncpg
import msgspec

from align.access import kept_answers
from align.access.admission import Admission, check_plan, key_of
from align.access.authentication import Caller
from align.access.kept_answers import IdempotentRequest
from align.errors import ApiError, invalid
from align.time_entries import batch_body, batch_members, refusing
from align.time_entries.batch_members import Result
from align.time_entries.batch_stream import NDJSON, Stream
from align.time_entries.coalescer import BUSY_PATIENCE_SECONDS, StillBusy
from align.time_entries.session import OutcomeUnknown
from align.time_entries.writer import Writer, settle_in_order
from align.web import body as bodies
from align.web import idempotency
from align.web.http import Answer, Request

PATH = "/api/v1/integration/time-entries/batch"


class Batch:
    """`POST /integration/time-entries/batch`."""

    def __init__(self, admission: Admission, writer: Writer) -> None:
        self._admission = admission
        self._writer = writer
        self._stream = Stream(admission, writer)
        self._turns: WeakValueDictionary[tuple[UUID, str], asyncio.Lock] = WeakValueDictionary()

    async def handle(self, request: Request) -> Answer:
        """Sync all members. Answers only after COMMIT; raises ApiError when the request as a whole is refused."""
        media_type = request.headers.get(b"content-type", b"").split(b";")[0].strip().lower()
        if media_type == NDJSON.encode():
            return await self._stream.handle(request)
        text = await request.body(batch_body.MAXIMUM_BATCH_BYTES)
        caller = await self._admission.authentication.caller(key_of(request))
        members, unreadable = _read(request, text, caller)
        await batch_members.admit(self._admission, request, caller, max(1, len(members)))
        key = idempotency.read_key(request)
        repeat = None if key is None else IdempotentRequest(caller, PATH, key, hashlib.sha256(text).digest())
        atomic = False
        try:
            atomic = batch_body.QUERY.read(request).atomic
        except ApiError as error:
            unreadable = unreadable or error
        if key is None and unreadable is None and not atomic:
            check_plan(caller, refusing.WRITE)
            decoded = await batch_members.decode(caller, members)
            return Answer(200, _body(await batch_members.settle(self._writer, request, decoded)))
        try:
            async with self._turn(repeat):
                return await self._settle_together(request, caller, repeat, members, unreadable, atomic)
        except OutcomeUnknown as error:
            raise refusing.of_failure(error) from error

    @asynccontextmanager
    async def _turn(self, repeat: IdempotentRequest | None) -> AsyncIterator[None]:
        """Requests with one key take turns; who waits holds no connection, which others could use."""
        if repeat is None:
            yield
            return
        lock = self._turns.setdefault((repeat.caller.api_key_id, repeat.key), asyncio.Lock())
        try:
            async with asyncio.timeout(BUSY_PATIENCE_SECONDS):
                await lock.acquire()
        except TimeoutError:
            raise refusing.of_failure(StillBusy()) from None
        try:
            yield
        finally:
            lock.release()

    async def _settle_together(
        self,
        request: Request,
        caller: Caller,
        repeat: IdempotentRequest | None,
        members: list[bytes],
        unreadable: ApiError | None,
        atomic: bool,
    ) -> Answer:
        """In one transaction: the kept answer if there is one, else all members and, with a key, their answer."""
        async with self._writer.lease() as session, session.transaction() as tx:
            if repeat is not None and (kept := await _kept(request, tx, repeat)):
                return kept
            check_plan(caller, refusing.WRITE)
            if unreadable is not None:
                raise unreadable
            decoded = await batch_members.decode(caller, members)
            outcomes = await settle_in_order(session, [member.row for member in decoded if member.row])
            results = batch_members.results(request, decoded, outcomes)
            if atomic and any(result.status >= 400 for result in results):
                raise _rejected(results)
            answer = Answer(200, _body(results))
            # What had no effect may be retried (decision 5), also with the same key.
            if repeat is not None and not any(result.is_transient for result in results):
                await kept_answers.keep(tx, repeat, answer)
        return answer


def _read(request: Request, text: bytes, caller: Caller) -> tuple[list[bytes], ApiError | None]:
    try:
        if problem := request.media_type_problem():
            raise problem
        members, unknown = batch_body.members(text)
    except ApiError as error:
        return [], error
    if unknown and caller.strict:
        return members, invalid(bodies.unknown_problems(unknown))
    if unknown:
        request.answer_headers["Ignored-Fields"] = bodies.ignored_fields(unknown)
    return members, None


def _body(results: list[Result]) -> bytes:
    head = msgspec.json.encode(batch_members.counts(results))
    return b'%s,"results":[%s]}' % (head[:-1], b",".join(result.text for result in results))


def _rejected(results: list[Result]) -> ApiError:
    """409 with all results; what would have been stored is told apart from what was wrong."""
    failed = sum(result.status >= 400 for result in results)
    told = []
    for index, result in enumerate(results):
        if result.status < 400:
            content = b'"error":{"error":"batch_rejected","message":"not stored, since another member was refused"}'
            result = Result(index, 424, content)
        told.append(msgspec.Raw(result.text))
    return ApiError(
        "batch_rejected",
        f"nothing was stored: {failed} of {len(results)} members were refused",
        created=0,
        existing=0,
        failed=len(results),
        results=told,
    )


async def _kept(request: Request, tx: asyncpg.Connection, repeat: IdempotentRequest) -> Answer | None:
    """The kept answer to an earlier request with this key; waits for one that still runs (decision 5)."""
    try:
        await kept_answers.wait_for_turn(tx, repeat)
    except asyncpg.LockNotAvailableError:
        raise refusing.of_failure(StillBusy()) from None
    return await kept_answers.find(request, tx, repeat)
