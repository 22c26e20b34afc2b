"""The wire structs of synced time entries: what is decoded, and what the documentation shows."""

import datetime
import re
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from align.external_names import EXTERNAL_NAME_PATTERN, MAXIMUM_NAME_LENGTH
from align.links.links import IntegrationLink

MAXIMUM_METADATA_BYTES = 16 * 1024

Status = Literal["draft", "submitted", "approved", "rejected", "locked", "invoiced"]

# Days that exist, 29 February of leap years included: the pattern alone decides, so the documentation says it all.
_DAY_PATTERN = (
    r"((19[7-9][0-9]|2[01][0-9][0-9]|2200)-"
    r"((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))"
    r"|(19([79][26]|8[048])|2000|2[01](0[48]|[2468][048]|[13579][26]))-02-29)"
)
# Calendar date, or date and time of RFC 3339 (seconds and offset may be missing, as ISO 8601 allows).
# No week dates, no basic format, no 24:00, no leap second: those would mean another day to some reader.
WORK_DATE_PATTERN = (
    rf"^{_DAY_PATTERN}"
    r"([Tt]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,9})?)?([Zz]|[+-](0[0-9]|1[0-4]):?[0-5][0-9])?)?$"
)
_WORK_DATE = re.compile(WORK_DATE_PATTERN)

# What the documentation shows of one.
ENTRY_EXAMPLE: dict[str, Any] = {
    "id": "3fa85f64-5717-4562-b3fc-2c963f66afa6",
    "organizationId": "5c0e9a7e-0000-0000-0000-000000000003",
    "projectId": "7b1e2c3d-0000-0000-0000-000000000001",
    "userId": "9a8b7c6d-0000-0000-0000-000000000002",
    "entryId": None,
    "workDate": "2025-01-15",
    "hours": "2.5",
    "minutes": 150,
    "notes": "Sprint planning session.",
    "billable": True,
    "source": "illumera",
    "status": "draft",
    "invoiced": False,
    "createdAt": "2025-01-15T10:30:00.000000Z",
    "updatedAt": "2025-01-15T10:30:00.000000Z",
}


class SyncTimeEntry(msgspec.Struct, rename="camel", kw_only=True):
    """The request of `POST /integration/time-entries` (contract, section 1)."""

    project_id: Annotated[
        UUID,
        Meta(
            description="Align project the time entry belongs to.",
            examples=["7b1e2c3d-0000-0000-0000-000000000001"],
        ),
    ]
    user_id: Annotated[
        UUID,
        Meta(description="Align user who performed the work.", examples=["9a8b7c6d-0000-0000-0000-000000000002"]),
    ]
    work_date: Annotated[
        str,
        Meta(
            description="Day of the work, 1970 to 2200: `YYYY-MM-DD`, or an ISO 8601 date and time, of which the "
            "calendar date as written counts (in its own offset, never converted).",
            extra_json_schema={"pattern": WORK_DATE_PATTERN},
            examples=["2025-01-15"],
        ),
    ]
    minutes: Annotated[int, Meta(ge=1, le=1440, description="Duration in minutes.", examples=[150])]
    external_system: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=MAXIMUM_NAME_LENGTH,
            description="The system the time entry comes from. Compared exactly, after Unicode NFC; "
            "no control characters, not only white space.",
            examples=["illumera"],
            extra_json_schema={"pattern": EXTERNAL_NAME_PATTERN},
        ),
    ]
    external_id: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=MAXIMUM_NAME_LENGTH,
            description="Stable id of the time entry within that system. Together with `externalSystem` it is the "
            "idempotency key: a second call with the same pair returns the entry that exists. The rules of "
            "`externalSystem` apply.",
            examples=["illumera-te-001"],
            extra_json_schema={"pattern": EXTERNAL_NAME_PATTERN},
        ),
    ]
    billable: (
        Annotated[bool, Meta(description="Whether the time is billable.", extra_json_schema={"default": True})]
        | UnsetType
    ) = UNSET
    description: (
        Annotated[
            str,
            Meta(
                max_length=2000,
                description="What was done. Any character but U+0000.",
                examples=["Sprint planning session."],
                extra_json_schema={"pattern": r"^[^\u0000]*$"},
            ),
        ]
        | UnsetType
    ) = UNSET
    entry_id: (
        Annotated[
            UUID,
            Meta(
                description="An existing ticket of the project.",
                examples=["3fa85f64-5717-4562-b3fc-2c963f66afa6"],
            ),
        ]
        | UnsetType
    ) = UNSET
    external_metadata: (
        Annotated[
            msgspec.Raw,
            Meta(
                description="Any object of the external system, at most 16 KiB as sent, without the character U+0000; "
                "stored and returned exactly as sent.",
                examples=[{"taskName": "Planning", "projectCode": "ALPHA"}],
                extra_json_schema={"type": "object"},
            ),
        ]
        | UnsetType
    ) = UNSET


class TimeEntry(msgspec.Struct, rename="camel", kw_only=True):
    """A time entry as every read returns it."""

    id: UUID
    organization_id: UUID
    project_id: UUID
    user_id: UUID
    entry_id: Annotated[UUID | None, Meta(description="The ticket, if any.")]
    work_date: Annotated[datetime.date, Meta(examples=["2025-01-15"])]
    hours: Annotated[
        str,
        Meta(
            description="Minutes as hours, to the nearest quarter, at least 0.25.",
            pattern=r"^\d{1,2}\.(0|25|5|75)$",
            examples=["2.5"],
        ),
    ]
    minutes: Annotated[int, Meta(ge=1, le=1440, description="As sent.", examples=[150])]
    notes: Annotated[str | None, Meta(description="The description, if any.", examples=["Sprint planning session."])]
    billable: bool
    source: Annotated[str, Meta(description="The externalSystem.", examples=["illumera"])]
    status: Status
    invoiced: bool
    created_at: Annotated[datetime.datetime, Meta(tz=True, description="RFC 3339, UTC.")]
    updated_at: Annotated[datetime.datetime, Meta(tz=True, description="RFC 3339, UTC.")]


class SyncedTimeEntry(TimeEntry, rename="camel", kw_only=True):
    """The answer to a sync."""

    integration_link_id: Annotated[UUID, Meta(description="Link between the pair and the time entry.")]
    created: Annotated[
        bool, Meta(description="True when this call created the time entry, false when it existed already.")
    ]


class LinkedTimeEntry(TimeEntry, rename="camel", kw_only=True):
    """A time entry with what the external system knows of it."""

    external_metadata: Annotated[dict[str, Any] | None, Meta(description="Exactly as it was sent, or null.")]
    integration_links: list[IntegrationLink]


def work_date(text: str) -> datetime.date | None:
    """The calendar date written in `text` (decision 9), or None when it is not one."""
    return datetime.date.fromisoformat(text[:10]) if _WORK_DATE.fullmatch(text) else None


def work_date_problem(value: str, _raw: bytes) -> tuple[str, str] | None:
    """(code, message) when `value` names no day."""
    if work_date(value) is not None:
        return None
    return (
        "invalid_date",
        "must be a date of the years 1970 to 2200, written YYYY-MM-DD or as an ISO 8601 date and time",
    )


def metadata_problem(_value: object, raw: bytes) -> tuple[str, str] | None:
    """(code, message) when the metadata, as sent, is too long to keep."""
    return ("too_long", "must be at most 16 KiB as sent") if len(raw) > MAXIMUM_METADATA_BYTES else None
