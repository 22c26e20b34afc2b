"""What both forms of a batch share: admitting, storing members, and saying what became of each."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import msgspec
import structlog

from align.access.admission import Admission
from align.access.authentication import Caller
from align.db.failures import is_unavailable
from align.errors import ApiError, body
from align.time_entries import batch_body, refusing
from align.time_entries.batch_body import Member
from align.time_entries.rows import Outcome
from align.time_entries.session import OutcomeUnknown
from align.time_entries.writer import Writer
from align.web.http import Request
from align.web.metrics import count_outcome

log = structlog.get_logger()

# A repeat may find these gone.
_TRANSIENT = ("idempotency_in_progress", "internal_error", "database_unavailable")
# Members read before other requests get their turn.
MEMBERS_PER_TURN = 50


class Result:
    """What became of one member, how the answer says so, and whether a repeat may fare better."""

    __slots__ = ("is_transient", "status", "text")

    def __init__(
        self,
        index: int,
        status: int,
        content: bytes,
        more: Sequence[tuple[str, Sequence[str]]] = (),
        is_transient: bool = False,
    ) -> None:
        self.status = status
        self.is_transient = is_transient
        extra = b"".join(b',"%s":%s' % (name.encode(), msgspec.json.encode(value)) for name, value in more if value)
        self.text = b'{"index":%d,"status":%d,%s%s}' % (index, status, content, extra)


async def admit(admission: Admission, request: Request, caller: Caller, cost: int) -> None:
    """Count the request `cost` times and look at scope, permissions and role. Raises ApiError 429 or 403."""
    await admission.pass_on(request, caller, refusing.WRITE, cost)


async def decode(caller: Caller, texts: Sequence[bytes]) -> list[Member]:
    """Read the members."""
    members = []
    for start in range(0, len(texts), MEMBERS_PER_TURN):
        members += [batch_body.member(caller, text) for text in texts[start : start + MEMBERS_PER_TURN]]
        await asyncio.sleep(0)
    return members


async def settle(writer: Writer, request: Request, members: Sequence[Member], first_index: int = 0) -> list[Result]:
    """Store the members, each on its own account, and say what became of them."""
    rows = [member.row for member in members if member.row]
    outcomes: Sequence[Outcome | BaseException]
    try:
        outcomes = await writer.run_in_order(rows) if rows else []
    except OutcomeUnknown as error:
        outcomes = [error] * len(rows)
    return results(request, members, outcomes, first_index)


def results(
    request: Request, members: Sequence[Member], outcomes: Sequence[Outcome | BaseException], first_index: int = 0
) -> list[Result]:
    """The results of all members, given the outcomes of those that have a row."""
    settled = iter(outcomes)
    return [
        _result(request, index, member, next(settled) if member.row else None)
        for index, member in enumerate(members, first_index)
    ]


def refused(request: Request, error: ApiError, count: int, first_index: int) -> list[Result]:
    """The results of `count` members that were all refused for the same reason."""
    content = _error(request, error)
    return [Result(index, error.status, content) for index in range(first_index, first_index + count)]


def counts(results: Sequence[Result]) -> Counter[str]:
    """How many were created, existed, failed; all three are always there."""
    found = Counter({"created": 0, "existing": 0, "failed": 0})
    found.update({201: "created", 200: "existing"}.get(result.status, "failed") for result in results)
    return found


def _result(request: Request, index: int, member: Member, outcome: Outcome | BaseException | None) -> Result:
    error = member.error or _refusal(request, index, outcome, member.unknown)
    if error is not None:
        count_outcome(outcome.outcome if isinstance(outcome, Outcome) else error.code)
        return Result(index, error.status, _error(request, error), is_transient=error.code in _TRANSIENT)
    if not isinstance(outcome, Outcome) or outcome.status is None or outcome.response is None:
        raise ValueError("a row that is not refused comes with its answer")
    count_outcome(outcome.outcome)
    differs = outcome.content_differs.split(", ") if outcome.content_differs else []
    more = (("contentDiffers", differs), ("ignoredFields", member.unknown))
    return Result(index, outcome.status, b'"entry":' + outcome.response.encode(), more)


def _refusal(
    request: Request, index: int, outcome: Outcome | BaseException | None, unknown: list[str]
) -> ApiError | None:
    if isinstance(outcome, Outcome):
        return refusing.of_outcome(outcome, unknown)
    return None if outcome is None else _failure(request, index, outcome)


def _failure(request: Request, index: int, failure: BaseException) -> ApiError:
    """As for a single sync; but a fault of ours must not cost the other members their answers."""
    try:
        return refusing.of_failure(failure)
    except Exception as fault:
        if is_unavailable(fault):
            log.error("database unavailable", index=index, request_id=request.id, reason=type(fault).__name__)
            return ApiError(
                "database_unavailable", "the database can't be reached; repeat this member, which settles it"
            )
        log.error("member failed", index=index, request_id=request.id, exc_info=fault)
        return ApiError("internal_error", f"a fault of ours; it is logged under {request.id}. Repeating is safe.")


def _error(request: Request, error: ApiError) -> bytes:
    return b'"error":' + msgspec.json.encode(body(error, request.id))
