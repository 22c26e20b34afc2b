"""One line of a sender's list: what it may hold, and how it is read."""

import re
from typing import Annotated, NamedTuple
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from align.errors import ApiError, Problem, invalid
from align.external_names import external_name_problem, nfc
from align.links.links import ExternalName
from align.time_entries.model import WORK_DATE_PATTERN, Status, work_date, work_date_problem
from align.web import body as bodies
from align.web import strict_json
from align.web.body import Body, Unfit
from align.web.http import MAXIMUM_BODY_BYTES, too_large


class ListedEntry(msgspec.Struct, rename="camel", kw_only=True):
    """A time entry as the sender has it. What is left out is not compared; the lines of a batch fit as they are."""

    external_id: Annotated[ExternalName, Meta(examples=["jira-1001"])]
    work_date: Annotated[
        str,
        Meta(description="As in a sync.", extra_json_schema={"pattern": WORK_DATE_PATTERN}, examples=["2025-01-15"]),
    ]
    minutes: Annotated[int, Meta(ge=1, le=1440, examples=[150])]
    project_id: UUID | UnsetType = UNSET
    user_id: UUID | UnsetType = UNSET
    entry_id: Annotated[UUID | None, Meta(description="The ticket; null: none.")] | UnsetType = UNSET
    billable: bool | UnsetType = UNSET
    description: (
        Annotated[Annotated[str, Meta(max_length=2000)] | None, Meta(description="Null: none.")] | UnsetType
    ) = UNSET
    status: Status | UnsetType = UNSET
    external_system: Annotated[str, Meta(description="If sent, the one in the query.")] | UnsetType = UNSET
    external_metadata: (
        Annotated[msgspec.Raw, Meta(description="Not compared.", extra_json_schema={"type": "object"})] | UnsetType
    ) = UNSET

    @property
    def day(self) -> str:
        """The day of the work, `YYYY-MM-DD`."""
        return self.work_date[:10]


class Refused(NamedTuple):
    """A line that can't be compared, and the external id in it, if that can be read."""

    error: ApiError
    external_id: str | None


_BODY = Body(ListedEntry, checks={"externalId": external_name_problem, "workDate": work_date_problem})
_QUICK = msgspec.json.Decoder(ListedEntry)
_PLAIN_MINUTES = re.compile(rb'"minutes"\s*:\s*[0-9]+\s*[,}]')
_TEXTS = ("external_id", "work_date", "project_id", "user_id", "entry_id", "description", "status", "external_system")
_MEMBERS = (*_TEXTS, "minutes", "billable")


def read(text: bytes, system: str, *, strict: bool) -> tuple[ListedEntry | Refused, list[str]]:
    """The entry of a line, its external id in NFC, and the names of members that are not known."""
    if len(text) > MAXIMUM_BODY_BYTES:
        return Refused(too_large(MAXIMUM_BODY_BYTES), None), []
    entry = _plain(text)
    unknown: list[str] = []
    problems: list[Problem] = []
    if entry is None:
        try:
            entry, unknown = _BODY.decode(text)
        except Unfit as unfit:
            problems, unknown = unfit.problems, unfit.unknown
    if entry is not None and entry.external_system is not UNSET and nfc(entry.external_system) != system:
        problems.append(Problem("externalSystem", "unknown_value", f"must be {system}, as in the query, or left out"))
    if strict:
        problems += bodies.unknown_problems(unknown)
    if entry is None or problems:
        return Refused(invalid(problems), _external_id(text)), unknown
    entry.external_id = nfc(entry.external_id)
    return entry, unknown


def known(text: bytes) -> ListedEntry:
    """The entry of a line that was read before."""
    return _QUICK.decode(text)


def _plain(text: bytes) -> ListedEntry | None:
    """The entry, if the line is certainly strict JSON with known members only, each once.

    As in align.time_entries.decoding: known members account for all quotes; whatever is in doubt is left to the
    thorough decoder, such as minutes written as `90.0`.
    """
    if b"\\" in text:
        return None
    try:
        entry = _QUICK.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    quotes = 2 * sum(getattr(entry, name) is not UNSET for name in _MEMBERS)
    quotes += 2 * sum(isinstance(getattr(entry, name), str | UUID) for name in _TEXTS)
    plain = (
        text.count(b'"') == quotes
        and _PLAIN_MINUTES.search(text) is not None
        and work_date(entry.work_date) is not None
        and external_name_problem(entry.external_id) is None
    )
    return entry if plain else None


def _external_id(text: bytes) -> str | None:
    try:
        value = strict_json.parse(text)
    except strict_json.Malformed:
        return None
    found = value.get("externalId") if isinstance(value, dict) else None
    return nfc(found) if isinstance(found, str) and not external_name_problem(found) else None
