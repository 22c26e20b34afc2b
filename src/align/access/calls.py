"""From a request to a domain function and back: what every operation but the sync needs, in one place.

The order of the checks is decision 2 of the contract: size, key, rate, scope (with permissions and role), idempotency
replay, plan, body, references. Changes run in one transaction with their events and the kept answer, and are answered
after COMMIT.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID
from weakref import WeakValueDictionary

import asyncpg
import msgspec

from align.access import documentation, kept_answers
from align.access.admission import Admission, check_plan, key_of
from align.access.authentication import Caller
from align.access.kept_answers import IdempotentRequest
from align.db.pool import LOCK_TIMEOUT_MILLISECONDS
from align.errors import ApiError, Problem, invalid
from align.events.events import Actor
from align.refusals import Conflict, NotFound, Refused
from align.web import body as bodies
from align.web import idempotency
from align.web.body import Body
from align.web.http import Answer, Request
from align.web.operation import Access, Operation
from align.web.query import Page, Query


class Call:
    """A request that was let in: who calls, with what, and the database to do it in.

    `db` is the transaction of a change, and the pool for reads. `body` is the decoded struct, or None.
    """

    __slots__ = ("body", "caller", "db", "pool", "request")

    def __init__(self, request: Request, caller: Caller, pool: asyncpg.Pool, db: Any, body: Any = None) -> None:
        self.request = request
        self.caller = caller
        self.pool = pool
        self.db = db
        self.body = body

    @property
    def organization_id(self) -> UUID:
        """The organisation, to be named in every query."""
        return self.caller.organization_id

    @property
    def actor(self) -> Actor:
        """Who the events of this call name."""
        return Actor(self.caller.created_by_user_id, self.caller.api_key_id)

    def id_in_path(self, name: str, noun: str) -> UUID:
        """The id in the path. Raises ApiError 404 for what is no id, as for an unknown one."""
        try:
            return msgspec.convert(self.request.path_parameters[name], UUID)
        except msgspec.ValidationError:
            raise not_found(noun) from None

    def project_in_path(self, name: str = "id") -> UUID:
        """The project's id in the path. Raises ApiError 404 for another project than a project key's own."""
        project_id = self.id_in_path(name, "project")
        if not self.sees(project_id):
            raise not_found("project")
        return project_id

    def sees(self, project_id: UUID | None) -> bool:
        """Whether the key's scope covers the project."""
        return self.caller.scoped_project_id in (None, project_id)


Act = Callable[[Call], Awaitable[Answer]]

# As long as the database's lock timeout.
PATIENCE_SECONDS = LOCK_TIMEOUT_MILLISECONDS / 1000
_RETRY_SOON = {"Retry-After": "1"}


class Calls:
    """Makes operations from domain functions."""

    def __init__(self, admission: Admission, pool: asyncpg.Pool) -> None:
        self.admission = admission
        self._pool = pool
        self._turns: WeakValueDictionary[UUID, asyncio.Lock] = WeakValueDictionary()

    def reading(
        self,
        act: Act,
        *,
        access: Access,
        query: Query[Any] | None = None,
        errors: tuple[str, ...] = (),
        **described: Any,
    ) -> Operation:
        """An operation that changes nothing: a GET, unless `described` says otherwise."""

        async def handle(request: Request) -> Answer:
            caller = await self.admission.admit(request, access)
            check_plan(caller, access)
            return await _refusing(act, Call(request, caller, self._pool, self._pool))

        described = {"method": "GET", **described}
        documented = documentation.reading(access, described["path"], query)
        return Operation(handler=handle, access=access, **documentation.merged(documented, described, errors))

    def changing(
        self,
        act: Act,
        *,
        access: Access,
        body: Body[Any] | None = None,
        errors: tuple[str, ...] = (),
        answers_secret: bool = False,
        after_commit: Callable[[asyncpg.Pool], Awaitable[None]] | None = None,
        **described: Any,
    ) -> Operation:
        """An operation that changes something: a POST, which takes an Idempotency-Key, unless `described` says else.

        `answers_secret`: what is kept for repeats is sealed. `after_commit` is awaited before the answer leaves.
        """

        async def handle(request: Request) -> Answer:
            text = await request.body()
            caller = await self.admission.admit(request, access)
            repeat = _repeat(request, caller, text, answers_secret)
            async with self._turn(caller), self._pool.acquire() as tx, tx.transaction():
                await _take_turn(tx, caller, repeat)
                caller = await self.admission.confirm(tx, request, access)
                if repeat is not None and (kept := await kept_answers.find(request, tx, repeat)):
                    return kept
                check_plan(caller, access)
                decoded = None if body is None else _decoded(request, caller, body, text)
                answer = await _refusing(act, Call(request, caller, self._pool, tx, decoded))
                if repeat is not None:
                    await kept_answers.keep(tx, repeat, answer)
            if after_commit is not None:
                await after_commit(self._pool)
            return answer

        described = {"method": "POST", **described}
        documented = documentation.changing(access, described["path"], described["method"], body)
        return Operation(handler=handle, access=access, **documentation.merged(documented, described, errors))

    @asynccontextmanager
    async def _turn(self, caller: Caller) -> AsyncIterator[None]:
        """As `_take_turn` within this process: who waits here holds no connection, which others could use."""
        lock = self._turns.setdefault(caller.organization_id, asyncio.Lock())
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await lock.acquire()
        except TimeoutError:
            raise _busy() from None
        try:
            yield
        finally:
            lock.release()


async def _take_turn(tx: asyncpg.Connection, caller: Caller, repeat: IdempotentRequest | None) -> None:
    """The changes of one organisation run one after the other, syncs apart.

    So no two can deadlock, and each gets its transaction id after the one before it was committed: per object, the
    change feed's order is the order of the commits. Taken before anything is written, for that reason.
    """
    if repeat is not None:
        try:
            await kept_answers.wait_for_turn(tx, repeat)
        except asyncpg.LockNotAvailableError:
            text = "the first request with this Idempotency-Key is still running; repeat in a second"
            raise ApiError("idempotency_in_progress", text, headers=_RETRY_SOON) from None
    try:
        await tx.execute(kept_answers.queries.lock_organization, str(caller.organization_id))
    except asyncpg.LockNotAvailableError:
        raise _busy() from None


def _busy() -> ApiError:
    text = "other changes of this organisation are still running; nothing was done, repeat in a second"
    return ApiError("overloaded", text, headers=_RETRY_SOON)


def _repeat(request: Request, caller: Caller, text: bytes, answers_secret: bool) -> IdempotentRequest | None:
    if request.scope["method"] != "POST":
        return None
    key = idempotency.read_key(request)
    if key is None:
        return None
    seal = kept_answers.seal_of(key_of(request) or "") if answers_secret else None
    return IdempotentRequest(caller, request.scope["path"], key, idempotency.fingerprint(text), seal)


def _decoded(request: Request, caller: Caller, body: Body[Any], text: bytes) -> Any:
    if not text and body.may_be_absent:
        text = b"{}"
    elif problem := request.media_type_problem():
        raise problem
    try:
        value, unknown = body.decode(text)
    except bodies.Unfit as unfit:
        if unfit.unknown and not caller.strict:
            request.answer_headers["Ignored-Fields"] = bodies.ignored_fields(unfit.unknown)
        raise invalid(unfit.problems + (bodies.unknown_problems(unfit.unknown) if caller.strict else [])) from None
    if unknown and caller.strict:
        raise invalid(bodies.unknown_problems(unknown))
    if unknown:
        request.answer_headers["Ignored-Fields"] = bodies.ignored_fields(unknown)
    return value


async def _refusing(act: Act, call: Call) -> Answer:
    """The answer, with what domain functions refuse as the API says it."""
    try:
        return await act(call)
    except asyncpg.LockNotAvailableError:
        raise _busy() from None
    except Refused as error:
        raise as_api_error(error) from error


def as_api_error(error: Refused) -> ApiError:
    """What a domain function refused, as the API says it."""
    if isinstance(error, NotFound):
        return ApiError("not_found", str(error), details=[Problem(error.field, "not_found", str(error))])
    if isinstance(error, Conflict):
        return ApiError(error.code, str(error), path=error.field)
    return invalid([Problem(error.field, error.code, str(error))])


def not_found(noun: str) -> ApiError:
    """404, the same for what does not exist and what the key may not see."""
    return ApiError("not_found", f"no such {noun} in this organisation")


def page(query: Page, total: int, data: Sequence[object]) -> Answer:
    """One page of a list (contract, section 2)."""
    return ok({"data": data, "page": query.page, "pageSize": query.page_size, "total": total})


def ok(value: object, status: int = 200, location: str | None = None) -> Answer:
    """An answer that is what msgspec writes of `value`."""
    return Answer(status, msgspec.json.encode(value), {} if location is None else {"Location": location})
