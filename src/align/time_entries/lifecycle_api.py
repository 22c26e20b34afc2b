"""The operations that move time entries through their life: one for each action, and one for many entries at once."""

from collections.abc import Mapping, Sequence
from uuid import UUID

import msgspec

from align.access.admission import check
from align.access.calls import Call, Calls, ok
from align.access.documentation import IDEMPOTENCY_KEY
from align.errors import ApiError, Problem, body, invalid
from align.external_names import nfc
from align.roles import TIME_KEEPERS
from align.time_entries import lifecycle
from align.time_entries.lifecycle import Move, Moved
from align.time_entries.lifecycle_bodies import (
    BATCH_BODY,
    BODIES,
    TimeEntryInLife,
    TransitionResults,
    TransitionTimeEntries,
)
from align.time_entries.model import ENTRY_EXAMPLE
from align.time_entries.refusing import FEATURE
from align.time_entries.states import TRANSITIONS, Action, Transition
from align.web import body as bodies
from align.web import etags
from align.web.http import Answer
from align.web.operation import Access, Operation, Success


def operations(calls: Calls) -> list[Operation]:
    """The operations, with their handlers."""
    return [*(_single(calls, line) for line in TRANSITIONS.values()), _batch(calls)]


def access_to(line: Transition) -> Access:
    """Who may do it."""
    return Access(scope="any", roles=line.roles, permission=line.permission, feature=FEATURE)


def _single(calls: Calls, line: Transition) -> Operation:
    async def act(call: Call) -> Answer:
        (result,) = await lifecycle.move(
            call.db,
            call.organization_id,
            [call.id_in_path("id", "time entry")],
            _move(line, getattr(call.body, "reason", None), getattr(call.body, "reference", None)),
            actor=call.actor,
            project_id=call.caller.scoped_project_id,
            if_match=etags.if_match(call.request),
        )
        if isinstance(result, ApiError):
            raise result
        return etags.with_etag(Answer(200, result.json.encode()), result.version)

    name, summary, _ = _TEXTS[line.action]
    return calls.changing(
        act,
        access=access_to(line),
        body=BODIES[line.needs],
        path=f"/time-entries/{{id}}/{line.action}",
        name=name,
        tag="Life of a time entry",
        summary=summary,
        description=_description(line),
        request_headers=(IDEMPOTENCY_KEY, etags.IF_MATCH),
        request_example={} if line.needs is None else {line.needs: _WORDS[line.needs]},
        successes=(Success(200, "The time entry, moved.", TimeEntryInLife, _example(line), (etags.ETAG,)),),
        errors=(
            "validation_error",
            "precondition_failed",
            "invalid_transition",
            *(() if line.in_locked_period else ("period_locked",)),
        ),
    )


def _batch(calls: Calls) -> Operation:
    return calls.changing(
        _move_many,
        # More follows from the action, which the body names.
        access=Access(scope="any", roles=TIME_KEEPERS, permission=None, feature=FEATURE),
        body=BATCH_BODY,
        path="/time-entries/transitions",
        name="transitionTimeEntries",
        tag="Life of a time entry",
        summary="Move many time entries at once",
        description=(
            "Does one action to 1 to 1,000 time entries, each on its own account, as the single operation would; "
            "`results` says in the order of `ids` what became of each. An id that occurs twice is moved once. All that "
            "succeed are committed together. The action decides which roles and which permission the key needs."
        ),
        request_example={"action": "approve", "ids": [_EXAMPLE["id"]]},
        successes=(Success(200, "Every id was looked at; see `results`.", TransitionResults, _BATCH_EXAMPLE),),
        errors=("permission_violation",),
    )


async def _move_many(call: Call) -> Answer:
    asked: TransitionTimeEntries = call.body
    line = TRANSITIONS[asked.action]
    check(call.caller, access_to(line))
    _check_words(call, line)
    results = await lifecycle.move(
        call.db,
        call.organization_id,
        asked.ids,
        _move(line, asked.reason, asked.reference),
        actor=call.actor,
        project_id=call.caller.scoped_project_id,
    )
    failed = sum(isinstance(result, ApiError) for result in results)
    members = [
        _result(call.request.id, index, id_, result)
        for index, (id_, result) in enumerate(zip(asked.ids, results, strict=True))
    ]
    return ok({"succeeded": len(results) - failed, "failed": failed, "results": members})


def _check_words(call: Call, line: Transition) -> None:
    """Refuse an action without what it needs; point out what is given and not used, as for unknown members."""
    given = {"reason": call.body.reason, "reference": call.body.reference}
    unused = [name for name, text in given.items() if text is not None and name != line.needs]
    problems = bodies.unknown_problems(unused) if call.caller.strict else []
    if line.needs is not None and given[line.needs] is None:
        problems.insert(0, Problem(line.needs, "required", f"is required to {line.action}"))
    if unused and not call.caller.strict:
        headers = call.request.answer_headers
        names = (headers.get("Ignored-Fields"), bodies.ignored_fields(unused))
        headers["Ignored-Fields"] = ", ".join(filter(None, names))
    if problems:
        raise invalid(problems)


def _move(line: Transition, reason: str | None, reference: str | None) -> Move:
    return Move(line.action, reason, None if reference is None else nfc(reference))


def _result(request_id: str, index: int, id_: UUID, result: Moved | ApiError) -> dict[str, object]:
    if isinstance(result, ApiError):
        return {"index": index, "id": id_, "status": result.status, "error": body(result, request_id)}
    return {"index": index, "id": id_, "status": 200, "entry": msgspec.Raw(result.json.encode())}


# Of each action: its name in the document, what it does, and what else is to be known.
_TEXTS: Mapping[Action, tuple[str, str, str]] = {
    "submit": ("submitTimeEntry", "Submit a time entry", "Its fields can't be changed from now on."),
    "approve": ("approveTimeEntry", "Approve a time entry", ""),
    "reject": ("rejectTimeEntry", "Reject a time entry", "Its fields can be changed again."),
    "recall": ("recallTimeEntry", "Take a submitted time entry back", "Its fields can be changed again."),
    "lock": ("lockTimeEntry", "Lock an approved time entry", "For example when a month is closed."),
    "unlock": ("unlockTimeEntry", "Make an approved time entry a draft again", "Its fields can be changed again."),
    "invoice": ("invoiceTimeEntry", "Put a time entry on an invoice", "`invoiced` is true from now on."),
    "void-invoice": ("voidInvoiceOfTimeEntry", "Take a time entry off its invoice", "It stays locked."),
}
_EXAMPLE = {
    **ENTRY_EXAMPLE,
    "updatedAt": "2025-01-31T16:00:00.000000Z",
    "statusReason": None,
    "invoiceReference": None,
}
_WORDS = {"reason": "The ticket is missing.", "reference": "INV-2025-017"}
_BATCH_EXAMPLE = {
    "succeeded": 1,
    "failed": 1,
    "results": [
        {"index": 0, "id": _EXAMPLE["id"], "status": 200, "entry": {**_EXAMPLE, "status": "approved"}},
        {
            "index": 1,
            "id": "3fa85f64-5717-4562-b3fc-2c963f66afa7",
            "status": 404,
            "error": {
                "error": "not_found",
                "message": "no such time entry in this organisation",
                "requestId": "019aafe2-5a1c-7c3e-8f6d-2b1f0c9d8e7a",
            },
        },
    ],
}


def _description(line: Transition) -> str:
    needs = "" if line.needs is None else f" Needs a {line.needs}."
    locked = "" if line.in_locked_period else " Refused in a locked period."
    return f"{_either(line.from_statuses)} -> {line.to}. {_TEXTS[line.action][2]}{needs}{locked}".replace(".  ", ". ")


def _either(statuses: Sequence[str]) -> str:
    return " or ".join(f"`{status}`" for status in statuses)


def _example(line: Transition) -> dict[str, object]:
    return {
        **_EXAMPLE,
        "status": line.to,
        "invoiced": line.to == "invoiced",
        "statusReason": _WORDS["reason"] if line.needs == "reason" else None,
        "invoiceReference": _WORDS["reference"] if line.needs == "reference" else None,
    }
