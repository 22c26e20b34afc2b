"""Sync many time entries with one request: a JSON object of up to 1,000 members, or a stream of lines."""

import asyncio
import hashlib
from collections import Counter, deque
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from pathlib import Path

import asyncpg
import msgspec

from align.api_keys.admission import Admission, key_of
from align.api_keys.authentication import Caller
from align.db import sql
from align.errors import ApiError, Problem, body, invalid
from align.time_entries import batch_body, refusing
from align.time_entries.batch_body import Member
from align.time_entries.coalescer import StillBusy
from align.time_entries.rows import Outcome
from align.time_entries.session import OutcomeUnknown
from align.time_entries.writer import Writer, settle_in_order
from align.web import body as bodies
from align.web import idempotency
from align.web.http import Answer, ClientGone, Request, StreamedAnswer
from align.web.metrics import IDEMPOTENCY, count_outcome

_QUERIES = sql.load(Path(__file__).with_name("batch.sql"))

PATH = "/api/v1/integration/time-entries/batch"
NDJSON = "application/x-ndjson"
MAXIMUM_LINES = 100_000
# Lines of a stream that go down together; while their statement runs, the next ones are read.
LINES_PER_STATEMENT = 500
STATEMENTS_PER_STREAM = 2
# Members read before other requests get their turn.
MEMBERS_PER_TURN = 50


class Result:
    """What became of one member, and how the answer says so."""

    __slots__ = ("status", "text")

    def __init__(self, index: int, status: int, content: bytes, more: Sequence[tuple[str, Sequence[str]]] = ()) -> None:
        self.status = status
        extra = b"".join(b',"%s":%s' % (name.encode(), msgspec.json.encode(value)) for name, value in more if value)
        self.text = b'{"index":%d,"status":%d,%s%s}' % (index, status, content, extra)


class Batch:
    """`POST /integration/time-entries/batch`."""

    def __init__(self, admission: Admission, writer: Writer) -> None:
        self._admission = admission
        self._writer = writer

    async def handle(self, request: Request) -> Answer:
        """Sync all members. Answers only after COMMIT; raises ApiError when the request as a whole is refused."""
        media_type = request.headers.get(b"content-type", b"").split(b";")[0].strip().lower()
        if media_type == NDJSON.encode():
            return await self._handle_lines(request)
        text = await request.body(batch_body.MAXIMUM_BATCH_BYTES)
        caller = await self._admission.authentication.caller(key_of(request))
        members, unreadable = _read(request, text, caller)
        await self._admit(request, caller, max(1, len(members)))
        key = idempotency.read_key(request)
        atomic = False
        try:
            atomic = _is_atomic(request)
        except ApiError as error:
            unreadable = unreadable or error
        if key is None and unreadable is None and not atomic:
            _check_plan(caller)
            results = await self._settle(request, await _decode(caller, members))
            return Answer(200, _body(results))
        try:
            return await self._settle_together(request, caller, text, key, members, unreadable, atomic)
        except OutcomeUnknown as error:
            raise refusing.of_failure(error) from error

    async def _settle_together(
        self,
        request: Request,
        caller: Caller,
        text: bytes,
        key: str | None,
        members: list[bytes],
        unreadable: ApiError | None,
        atomic: bool,
    ) -> Answer:
        """In one transaction: the kept answer if there is one, else all members and, with a key, their answer."""
        async with self._writer.lease() as session, session.transaction() as tx:
            if key is not None and (kept := await _kept(tx, caller, key, text)):
                return kept
            _check_plan(caller)
            if unreadable is not None:
                raise unreadable
            decoded = await _decode(caller, members)
            outcomes = await settle_in_order(session, [member.row for member in decoded if member.row])
            results = _results(request, decoded, outcomes)
            if atomic and any(result.status >= 400 for result in results):
                raise _rejected(results)
            answer = Answer(200, _body(results))
            if key is not None:
                await _keep(tx, caller, key, text, answer)
        return answer

    async def _admit(self, request: Request, caller: Caller, cost: int) -> None:
        await self._admission.pass_on(request, caller, "organization", cost)
        if caller.role == "client":
            raise refusing.role_violation()

    async def _settle(self, request: Request, members: list[Member], first_index: int = 0) -> list[Result]:
        rows = [member.row for member in members if member.row]
        outcomes: Sequence[Outcome | BaseException]
        try:
            outcomes = await self._writer.run_in_order(rows) if rows else []
        except OutcomeUnknown as error:
            outcomes = [error] * len(rows)
        return _results(request, members, outcomes, first_index)

    async def _handle_lines(self, request: Request) -> Answer:
        caller = await self._admission.authentication.caller(key_of(request))
        await self._admit(request, caller, 1)
        if b"idempotency-key" in request.headers:
            raise ApiError(
                "idempotency_key_invalid", "Idempotency-Key does not go with a stream; each line is safe to repeat"
            )
        _check_plan(caller)
        if request.query(("atomic",)).get("atomic", "false") != "false":
            raise invalid([Problem("atomic", "not_with_stream", "goes with the JSON form only")])
        return StreamedAnswer(200, self._answer_lines(request, caller), NDJSON)

    async def _answer_lines(self, request: Request, caller: Caller) -> AsyncGenerator[bytes, None]:
        counts: Counter[str] = Counter()
        running: deque[asyncio.Task[list[Result]]] = deque()
        broken: ApiError | None = None
        first_index = 0
        try:
            async for lines in _chunks(batch_body.lines(request)):
                running.append(asyncio.create_task(self._sync_lines(request, caller, lines, first_index)))
                first_index += len(lines)
                if len(running) == STATEMENTS_PER_STREAM:
                    yield _lines(await running.popleft(), counts)
        except ApiError as error:
            broken = error
        except ClientGone:
            return
        finally:
            if running:
                await asyncio.wait(running)
        for task in running:
            yield _lines(task.result(), counts)
        end: dict[str, object] = _counts(counts)
        if broken is not None:
            end["error"] = body(broken, request.id)
        yield msgspec.json.encode(end) + b"\n"

    async def _sync_lines(self, request: Request, caller: Caller, lines: list[bytes], first_index: int) -> list[Result]:
        # The first line was counted with the request.
        cost = len(lines) - (1 if first_index == 0 else 0)
        try:
            await self._admission.pass_on(request, caller, "organization", cost)
        except ApiError as error:
            return _refused(request, error, len(lines), first_index)
        return await self._settle(request, await _decode(caller, lines), first_index)


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


def _is_atomic(request: Request) -> bool:
    value = request.query(("atomic",)).get("atomic", "false")
    if value not in ("true", "false"):
        raise invalid([Problem("atomic", "wrong_type", "must be true or false")])
    return value == "true"


def _check_plan(caller: Caller) -> None:
    if refusing.FEATURE not in caller.features:
        raise refusing.feature_disabled()


def _refusal(outcome: Outcome | BaseException | None, unknown: list[str]) -> ApiError | None:
    if isinstance(outcome, Outcome):
        return refusing.of_outcome(outcome, unknown)
    return None if outcome is None else refusing.of_failure(outcome)


async def _decode(caller: Caller, texts: list[bytes]) -> list[Member]:
    members = []
    for start in range(0, len(texts), MEMBERS_PER_TURN):
        members += [batch_body.member(caller, text) for text in texts[start : start + MEMBERS_PER_TURN]]
        await asyncio.sleep(0)
    return members


def _results(
    request: Request, members: list[Member], outcomes: Sequence[Outcome | BaseException], first_index: int = 0
) -> list[Result]:
    settled = iter(outcomes)
    return [
        _result(request, index, member, next(settled) if member.row else None)
        for index, member in enumerate(members, first_index)
    ]


def _result(request: Request, index: int, member: Member, outcome: Outcome | BaseException | None) -> Result:
    error = member.error or _refusal(outcome, member.unknown)
    if error is not None:
        count_outcome(outcome.outcome if isinstance(outcome, Outcome) else error.code)
        return Result(index, error.status, b'"error":' + msgspec.json.encode(body(error, request.id)))
    if not isinstance(outcome, Outcome) or outcome.status is None or outcome.response is None:
        raise ValueError("a row that is not refused comes with its answer")
    count_outcome(outcome.outcome)
    differs = outcome.content_differs.split(", ") if outcome.content_differs else []
    more = (("contentDiffers", differs), ("ignoredFields", member.unknown))
    return Result(index, outcome.status, b'"entry":' + outcome.response.encode(), more)


def _refused(request: Request, error: ApiError, count: int, first_index: int) -> list[Result]:
    content = b'"error":' + msgspec.json.encode(body(error, request.id))
    return [Result(index, error.status, content) for index in range(first_index, first_index + count)]


def _counts(counts: Counter[str]) -> dict[str, object]:
    return {name: counts[name] for name in ("created", "existing", "failed")}


def _count(results: list[Result], counts: Counter[str]) -> None:
    for result in results:
        counts[{201: "created", 200: "existing"}.get(result.status, "failed")] += 1


def _lines(results: list[Result], counts: Counter[str]) -> bytes:
    _count(results, counts)
    return b"".join(result.text + b"\n" for result in results)


def _body(results: list[Result]) -> bytes:
    counts: Counter[str] = Counter()
    _count(results, counts)
    head = msgspec.json.encode(_counts(counts))
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


async def _chunks(lines: AsyncIterator[bytes]) -> AsyncIterator[list[bytes]]:
    chunk: list[bytes] = []
    count = 0
    async for line in lines:
        count += 1
        if count > MAXIMUM_LINES:
            yield chunk
            raise ApiError("payload_too_large", f"a stream takes {MAXIMUM_LINES} lines; send the rest in another")
        chunk.append(line)
        if len(chunk) == LINES_PER_STATEMENT:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


async def _kept(tx: asyncpg.Connection, caller: Caller, key: str, text: bytes) -> Answer | None:
    """The kept answer to an earlier request with this key; waits for one that still runs (decision 5)."""
    scope = (caller.organization_id, caller.api_key_id, PATH, key)
    try:
        await tx.execute(_QUERIES.lock_idempotency_key, ":".join(map(str, scope)))
    except asyncpg.LockNotAvailableError:
        raise refusing.of_failure(StillBusy()) from None
    found = await tx.fetchrow(_QUERIES.find_kept_response, *scope)
    if found is None:
        return None
    differs = found["body_digest"] != hashlib.sha256(text).digest()
    if differs and caller.strict:
        raise refusing.idempotency_key_reused()
    IDEMPOTENCY.labels("replayed").inc()
    headers = {"Idempotent-Replayed": "true"} | ({"Idempotency-Body-Mismatch": "true"} if differs else {})
    return Answer(found["status"], found["response"].encode(), headers)


async def _keep(tx: asyncpg.Connection, caller: Caller, key: str, text: bytes, answer: Answer) -> None:
    await tx.execute(
        _QUERIES.keep_response,
        caller.organization_id,
        caller.api_key_id,
        PATH,
        key,
        hashlib.sha256(text).digest(),
        answer.status,
        answer.body.decode(),
    )
    IDEMPOTENCY.labels("kept").inc()
