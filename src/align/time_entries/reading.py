"""Read time entries, with their links and metadata, as an integration sees them."""

from pathlib import Path
from uuid import UUID

import asyncpg
import msgspec

from align.api_keys.admission import Admission
from align.api_keys.authentication import Caller
from align.db import sql
from align.errors import ApiError, Problem, invalid
from align.time_entries import refusing
from align.time_entries.model import external_name_problem, nfc
from align.web.http import Answer, Request

_QUERIES = sql.load(Path(__file__).with_name("reading.sql"))


class Reading:
    """`GET /integration/time-entries` in its two forms."""

    def __init__(self, admission: Admission, pool: asyncpg.Pool) -> None:
        self._admission = admission
        self._pool = pool

    async def by_id(self, request: Request) -> Answer:
        """The time entry with the id in the path, or ApiError 404."""
        caller = await self._admit(request)
        try:
            id_ = msgspec.convert(request.path_parameters["id"], UUID)  # the spellings that a sync takes
        except msgspec.ValidationError:
            raise _not_found() from None
        row = await self._pool.fetchrow(_QUERIES.find_by_id, caller.organization_id, id_)
        if row is None:
            raise _not_found()
        return Answer(200, row["json"].encode())

    async def by_pair(self, request: Request) -> Answer:
        """The time entry of the external system and id in the query; ApiError 404 when unknown, 410 when deleted."""
        caller = await self._admit(request)
        query = request.query(("externalSystem", "externalId"))
        if problems := _pair_problems(query):
            raise invalid(problems)
        row = await self._pool.fetchrow(
            _QUERIES.find_by_pair, caller.organization_id, nfc(query["externalSystem"]), nfc(query["externalId"])
        )
        if row is None:
            raise _not_found()
        if row["deleted"]:
            raise ApiError("time_entry_deleted", "the time entry of this external id was deleted")
        return Answer(200, row["json"].encode())

    async def _admit(self, request: Request) -> Caller:
        caller = await self._admission.admit(request, "organization")
        refusing.check_role(caller)
        refusing.check_plan(caller)
        return caller


def _pair_problems(query: dict[str, str]) -> list[Problem]:
    problems = []
    for name in ("externalSystem", "externalId"):
        if not query.get(name):
            problems.append(Problem(name, "required", "is required and must not be empty"))
        elif broken := external_name_problem(query[name]):
            problems.append(Problem(name, *broken))
    return problems


def _not_found() -> ApiError:
    return ApiError("not_found", "no such time entry in this organisation")
