"""What lists and summaries of time entries can be narrowed to."""

import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from align.errors import Problem, invalid
from align.external_names import EXTERNAL_NAME_PATTERN, MAXIMUM_NAME_LENGTH, external_name_problem, nfc
from align.time_entries.model import Status

# The days that a time entry can have.
FIRST_DAY = datetime.date(1970, 1, 1)
LAST_DAY = datetime.date(2200, 12, 31)


# A filter of what is not of one project already.
ProjectId = Annotated[UUID, Meta(description="Of this project.")]


class Filters(msgspec.Struct, rename="camel", kw_only=True):
    """The filters of lists and summaries; each narrows further."""

    start_date: Annotated[datetime.date, Meta(description="First day, `YYYY-MM-DD`.")] | UnsetType = UNSET
    end_date: Annotated[datetime.date, Meta(description="Last day, `YYYY-MM-DD`.")] | UnsetType = UNSET
    user_id: Annotated[UUID, Meta(description="Of this user.")] | UnsetType = UNSET
    entry_id: Annotated[UUID, Meta(description="Of this ticket.")] | UnsetType = UNSET
    status: Annotated[
        list[Status], Meta(description="In one of these statuses: repeated, `status=draft&status=rejected`.")
    ] = []
    billable: Annotated[bool, Meta(description="`true` or `false`.")] | UnsetType = UNSET
    invoiced: Annotated[bool, Meta(description="`true` or `false`.")] | UnsetType = UNSET
    source: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=MAXIMUM_NAME_LENGTH,
                description="The `source`: the externalSystem of a sync, or api, ui, import.",
                extra_json_schema={"pattern": EXTERNAL_NAME_PATTERN},
            ),
        ]
        | UnsetType
    ) = UNSET
    updated_since: (
        Annotated[
            datetime.datetime,
            Meta(tz=True, description="Changed at this time or later; RFC 3339, with `+` sent as `%2B`."),
        ]
        | UnsetType
    ) = UNSET


def arguments(filters: Filters, project_id: UUID | None) -> tuple[object, ...]:
    """The parameters $2 to $11 of filters.sql. Raises ApiError 400 for a source that can't be one."""
    if filters.source is not UNSET and (problem := external_name_problem(filters.source)):
        raise invalid([Problem("source", *problem)])
    return (
        FIRST_DAY if filters.start_date is UNSET else filters.start_date,
        LAST_DAY if filters.end_date is UNSET else filters.end_date,
        project_id,
        _or_none(filters.user_id),
        _or_none(filters.entry_id),
        sorted(set(filters.status)) or None,
        _or_none(filters.billable),
        _or_none(filters.invoiced),
        None if filters.source is UNSET else nfc(filters.source),
        _or_none(filters.updated_since),
    )


def _or_none(value: object) -> object:
    return None if value is UNSET else value
