"""The bodies that create and change time entries, and what is answered."""

from decimal import Decimal
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from align.errors import Problem
from align.external_names import external_name_problem
from align.links.links import ExternalRef
from align.time_entries import duration
from align.time_entries.model import WORK_DATE_PATTERN, LinkedTimeEntry, TimeEntry, work_date_problem
from align.web import strict_json
from align.web.body import Body, Unfit

_WorkDate = Annotated[
    str,
    Meta(
        description="Day of the work, 1970 to 2200: `YYYY-MM-DD`, or an ISO 8601 date and time, of which the "
        "calendar date as written counts (in its own offset, never converted).",
        extra_json_schema={"pattern": WORK_DATE_PATTERN},
        examples=["2025-01-15"],
    ),
]
_Minutes = Annotated[
    int, Meta(ge=1, le=duration.MAXIMUM_MINUTES, description="Duration; wins over `hours`.", examples=[150])
]
# The float stands for "a number" in the documentation. What was sent is read from the body's text (TimedBody), and
# this member is emptied: no duration goes through a float.
_Hours = Annotated[
    float | Decimal,
    Meta(
        description="Duration in hours, where `minutes` is not sent: a decimal number, or a string that writes one. "
        "It must give whole minutes.",
        extra_json_schema={
            "exclusiveMinimum": 0,
            "maximum": duration.MAXIMUM_HOURS,
            "pattern": duration.HOURS_PATTERN,
        },
        examples=["2.5"],
    ),
]
_Description = Annotated[
    str,
    Meta(
        max_length=2000,
        description="What was done. Any character but U+0000.",
        examples=["Sprint planning session."],
        extra_json_schema={"pattern": r"^[^\u0000]*$"},
    ),
]


class Timed(Struct, rename="camel", kw_only=True):
    """A body with a duration: after decoding, `minutes` has it whichever way it was sent."""

    minutes: _Minutes | UnsetType = UNSET
    hours: _Hours | UnsetType = UNSET


class CreateTimeEntry(Timed, rename="camel", kw_only=True):
    """The request of `POST /projects/{id}/time-entries`: with `minutes`, or `hours`."""

    user_id: Annotated[UUID, Meta(description="The user who did the work.")]
    work_date: _WorkDate
    description: _Description | UnsetType | None = UNSET
    billable: (
        Annotated[bool, Meta(description="Whether the time is billable.", extra_json_schema={"default": True})]
        | UnsetType
    ) = UNSET
    entry_id: Annotated[UUID | None, Meta(description="A ticket of the project.")] | UnsetType = UNSET
    source: (
        Annotated[
            Literal["api", "ui", "import"],
            Meta(description="Where the time entry comes from.", extra_json_schema={"default": "api"}),
        ]
        | UnsetType
    ) = UNSET
    external_ref: (
        Annotated[
            ExternalRef | None,
            Meta(
                description="What another system calls the time entry. If it is known, the time entry that exists is "
                "returned. With the `externalType` `time_entry`, syncs of `provider` and `externalId` find it."
            ),
        ]
        | UnsetType
    ) = UNSET


class UpdateTimeEntry(Timed, rename="camel", kw_only=True):
    """The request of `PATCH /time-entries/{id}`: what is not sent stays as it is."""

    work_date: _WorkDate | UnsetType = UNSET
    description: _Description | UnsetType | None = UNSET
    billable: bool | UnsetType = UNSET
    entry_id: Annotated[UUID | None, Meta(description="A ticket of the project; null for none.")] | UnsetType = UNSET
    user_id: UUID | UnsetType = UNSET
    project_id: (
        Annotated[
            UUID,
            Meta(
                description="Another project; a ticket of the old one must be replaced or cleared with it. "
                "A project's key can't move a time entry away."
            ),
        ]
        | UnsetType
    ) = UNSET


class CreatedTimeEntry(TimeEntry, rename="camel", kw_only=True):
    """The answer to a create."""

    created: Annotated[
        bool, Meta(description="True when this call created the time entry, false when it existed already.")
    ]


class DetailedTimeEntry(LinkedTimeEntry, rename="camel", kw_only=True):
    """A time entry with all that is known of it."""

    status_reason: Annotated[str | None, Meta(description="Why it was rejected or unlocked, the last time.")]
    invoice_reference: Annotated[str | None, Meta(description="The invoice it is on, if any.")]


T = TypeVar("T", bound=Timed)


class TimedBody(Body[T]):
    """Decodes bodies with a duration; `minutes` wins over `hours`."""

    def __init__(self, type_: type[T], *, duration_required: bool) -> None:
        names = {f"externalRef.{name}": external_name_problem for name in ("provider", "externalType", "externalId")}
        super().__init__(
            type_,
            {"workDate": work_date_problem, "hours": duration.hours_problem, **names},
        )
        self._duration_required = duration_required

    def decode(self, body: bytes) -> tuple[T, list[str]]:
        """As Body.decode."""
        try:
            decoded, unknown = super().decode(body)
        except Unfit as unfit:
            raise Unfit(self._with_duration_problems(body, unfit.problems), unfit.unknown) from None
        given: Any = strict_json.parse(body)
        if problems := self._duration_problems(given):
            raise Unfit(problems, unknown)
        if decoded.minutes is UNSET and decoded.hours is not UNSET:
            decoded.minutes = duration.minutes_of(given["hours"]) or UNSET
        decoded.hours = UNSET
        return decoded, unknown

    def _with_duration_problems(self, body: bytes, problems: list[Problem]) -> list[Problem]:
        try:
            given = strict_json.parse(body)
        except strict_json.Malformed:
            return problems
        if not isinstance(given, dict) or any(problem.path in ("minutes", "hours") for problem in problems):
            return problems
        return problems + self._duration_problems(given)

    def _duration_problems(self, given: dict[str, Any]) -> list[Problem]:
        if "minutes" in given:
            return []
        if "hours" in given:
            found = duration.minutes_problem(given["hours"])
            return [Problem("hours", *found)] if found else []
        if not self._duration_required:
            return []
        return [
            Problem("minutes", "required", "is required, unless hours is sent"),
            Problem("hours", "required", "is required, unless minutes is sent"),
        ]


CREATE = TimedBody(CreateTimeEntry, duration_required=True)
UPDATE = TimedBody(UpdateTimeEntry, duration_required=False)
