"""The bodies of the operations that move time entries through their life, and their answers."""

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from align.external_names import EXTERNAL_NAME_PATTERN, MAXIMUM_NAME_LENGTH, external_name_problem
from align.reasons import Reason, reason_problem
from align.time_entries.model import TimeEntry
from align.time_entries.states import Action
from align.web.body import Body, Check

MAXIMUM_IDS = 1000

Reference = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAXIMUM_NAME_LENGTH,
        description="The invoice that the time entry is on; one line of text.",
        examples=["INV-2025-017"],
        extra_json_schema={"pattern": EXTERNAL_NAME_PATTERN},
    ),
]


class TransitionWithoutWords(msgspec.Struct, rename="camel", kw_only=True):
    """The request of actions that need nothing said; it may be left out."""


class TransitionWithReason(msgspec.Struct, rename="camel", kw_only=True):
    """The request of `reject` and `unlock`."""

    reason: Reason


class TransitionWithReference(msgspec.Struct, rename="camel", kw_only=True):
    """The request of `invoice`."""

    reference: Reference


class TransitionTimeEntries(msgspec.Struct, rename="camel", kw_only=True):
    """The request of `POST /time-entries/transitions`."""

    action: Action
    ids: Annotated[
        list[UUID], Meta(min_length=1, max_length=MAXIMUM_IDS, description="Time entries, in the order of the results.")
    ]
    reason: Annotated[Reason | None, Meta(description="Required by `reject` and `unlock`.")] = None
    reference: Annotated[Reference | None, Meta(description="Required by `invoice`.")] = None


class TimeEntryInLife(TimeEntry, rename="camel", kw_only=True):
    """A time entry after a transition."""

    status_reason: Annotated[str | None, Meta(description="Why it was rejected or unlocked, until it is submitted.")]
    invoice_reference: Annotated[str | None, Meta(description="The invoice it is on, if any.")]


class TransitionResult(msgspec.Struct, rename="camel", kw_only=True):
    """What became of one id: `entry` with status 200, `error` with any other."""

    index: Annotated[int, Meta(ge=0, description="Place of the id in the request, from 0.")]
    id: UUID
    status: Annotated[int, Meta(description="What the single operation would have answered: 200, 404 or 409.")]
    entry: TimeEntryInLife | UnsetType = UNSET
    error: Annotated[dict[str, Any], Meta(description="As in the schema Error.")] | UnsetType = UNSET


class TransitionResults(msgspec.Struct, rename="camel", kw_only=True):
    """The answer to `POST /time-entries/transitions`."""

    succeeded: Annotated[int, Meta(ge=0)]
    failed: Annotated[int, Meta(ge=0)]
    results: Annotated[list[TransitionResult], Meta(description="In the order of the request.")]


def _reference_problem(value: str, _raw: bytes) -> tuple[str, str] | None:
    return external_name_problem(value)


_REASON: Mapping[str, Check] = {"reason": reason_problem}
_REFERENCE: Mapping[str, Check] = {"reference": _reference_problem}
BODIES: Mapping[str | None, Body[Any]] = {
    None: Body(TransitionWithoutWords, may_be_absent=True),
    "reason": Body(TransitionWithReason, _REASON, may_be_absent=True),
    "reference": Body(TransitionWithReference, _REFERENCE, may_be_absent=True),
}
BATCH_BODY = Body(TransitionTimeEntries, {**_REASON, **_REFERENCE})
