"""From the bytes of a request to a time entry, quickly where the body is plain, thoroughly where it is not."""

import re

import msgspec
from msgspec import UNSET

from align.external_names import external_name_problem, nfc
from align.time_entries.model import SyncTimeEntry, metadata_problem, work_date, work_date_problem
from align.web.body import Body

_BODY = Body(
    SyncTimeEntry,
    checks={
        "workDate": work_date_problem,
        "externalSystem": external_name_problem,
        "externalId": external_name_problem,
        "externalMetadata": metadata_problem,
    },
)
_QUICK = msgspec.json.Decoder(SyncTimeEntry)
_PLAIN_MINUTES = re.compile(rb'"minutes"\s*:\s*[0-9]+\s*[,}]')
# Two for each name of the six required members, two for each of the five strings among their values.
_QUOTES_OF_REQUIRED_MEMBERS = 22


def decode(body: bytes) -> tuple[SyncTimeEntry, list[str]]:
    """The time entry, its external names in NFC, and the names of members that the operation does not know.

    Raises align.web.body.Unfit with every problem found.
    """
    entry = _decode_plain(body)
    unknown: list[str] = []
    if entry is None:
        entry, unknown = _BODY.decode(body)
    entry.external_system = nfc(entry.external_system)
    entry.external_id = nfc(entry.external_id)
    return entry, unknown


def _decode_plain(body: bytes) -> SyncTimeEntry | None:
    """The time entry, if the body is certainly strict JSON with known members only, each once.

    A body without backslashes and metadata holds as many quotes as its known members account for; a member
    too many, known or not, would add at least two. Whatever is in doubt is left to the thorough decoder,
    which also says what is wrong: this one only has to be right when it says yes.
    """
    if b"\\" in body:
        return None
    try:
        entry = _QUICK.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    quotes = _QUOTES_OF_REQUIRED_MEMBERS
    if entry.billable is not UNSET:
        quotes += 2
    if entry.description is not UNSET:
        quotes += 4
    if entry.entry_id is not UNSET:
        quotes += 4
    plain = (
        body.count(b'"') == quotes
        and entry.external_metadata is UNSET
        and _PLAIN_MINUTES.search(body) is not None
        and work_date(entry.work_date) is not None
        and external_name_problem(entry.external_system) is None
        and external_name_problem(entry.external_id) is None
    )
    return entry if plain else None
