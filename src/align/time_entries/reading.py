"""Read time entries, with their links and metadata, as an integration sees them."""

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from align.access.calls import Call, not_found
from align.db import sql
from align.errors import ApiError, Problem, invalid
from align.external_names import EXTERNAL_NAME_PATTERN, MAXIMUM_NAME_LENGTH, external_name_problem, nfc
from align.web.http import Answer
from align.web.query import Query

_QUERIES = sql.load(Path(__file__).with_name("reading.sql"))

_ExternalName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAXIMUM_NAME_LENGTH,
        description="As sent in the sync.",
        extra_json_schema={"pattern": EXTERNAL_NAME_PATTERN},
    ),
]


class Pair(msgspec.Struct, rename="camel", kw_only=True):
    """The parameters of `GET /integration/time-entries`."""

    external_system: _ExternalName
    external_id: _ExternalName


PAIR = Query(Pair)


async def by_id(call: Call) -> Answer:
    """The time entry with the id in the path, or ApiError 404."""
    row = await call.db.fetchrow(_QUERIES.find_by_id, call.caller.organization_id, call.id_in_path("id", "time entry"))
    if row is None:
        raise not_found("time entry")
    return Answer(200, row["json"].encode())


async def by_pair(call: Call) -> Answer:
    """The time entry of the external system and id in the query; ApiError 404 when unknown, 410 when deleted."""
    pair = PAIR.read(call.request)
    names = {"externalSystem": pair.external_system, "externalId": pair.external_id}
    if problems := [Problem(name, *broken) for name, text in names.items() if (broken := external_name_problem(text))]:
        raise invalid(problems)
    row = await call.db.fetchrow(
        _QUERIES.find_by_pair, call.caller.organization_id, nfc(pair.external_system), nfc(pair.external_id)
    )
    if row is None:
        raise not_found("time entry")
    if row["deleted"]:
        raise ApiError("time_entry_deleted", "the time entry of this external id was deleted")
    return Answer(200, row["json"].encode())
