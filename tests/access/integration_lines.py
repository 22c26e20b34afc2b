"""The lines of /integration/*: for organisations' keys only."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

from align.links import links
from align.links.links import ExternalRef
from tests.access.line import ALL_BUT_CLIENTS, NDJSON, Asked, Line, Place
from tests.life import DAY, stored_entry

BATCH = "POST /integration/time-entries/batch"
_PERIOD = {"startDate": DAY, "endDate": DAY}


def _entry(place: Place) -> tuple[Mapping[str, UUID], dict[str, Any]]:
    ids = {"projectId": place.project_id, "userId": place.world.user_id, "entryId": place.ticket_id}
    return ids, place.world.entry(**{name: str(id_) for name, id_ in ids.items()})


async def _stored(place: Place) -> tuple[UUID, UUID]:
    """The ids of an entry here and in the system `jira`."""
    external_id = uuid4()
    made = await stored_entry(place.world, project_id=place.project_id, source="jira")
    ref = ExternalRef(provider="jira", external_type="time_entry", external_id=str(external_id))
    async with place.world.pool.acquire() as tx, tx.transaction():
        await links.link(tx, place.world.organization_id, ref, ("time_entry", made), project_id=place.project_id)
    return made, external_id


async def sync(place: Place) -> Asked:
    ids, entry = _entry(place)
    return Asked(ids, entry)


async def batch(place: Place) -> Asked:
    ids, entry = _entry(place)
    return Asked(ids, {"entries": [entry]})


async def stream(place: Place) -> Asked:
    ids, entry = _entry(place)
    return Asked(ids, [entry], media_type=NDJSON)


async def by_pair(place: Place) -> Asked:
    made, external_id = await _stored(place)
    query = {"externalSystem": "jira", "externalId": external_id}
    return Asked({"externalId": external_id}, query=query, shows=str(made))


async def by_id(place: Place) -> Asked:
    made, external_id = await _stored(place)
    return Asked({"id": made}, shows=str(external_id))


async def checksum(place: Place) -> Asked:
    await _stored(place)
    return Asked(query={"externalSystem": "jira", **_PERIOD, "groupBy": "project"}, shows=str(place.project_id))


async def reconcile(place: Place) -> Asked:
    made, external_id = await _stored(place)
    line = {"externalId": str(external_id), "workDate": str(DAY), "minutes": 7}
    query = {"externalSystem": "jira", **_PERIOD}
    return Asked({"externalId": external_id}, [line], query, media_type=NDJSON, shows=str(made))


READ = {"keys": "organization", "roles": ALL_BUT_CLIENTS, "permission": "read:time_entries", "plan": True}
WRITE = {**READ, "permission": "write:time_entries", "events": ("time.logged",)}

LINES = (
    Line(operation="POST /integration/time-entries", asked=sync, success=201, **WRITE),
    Line(operation=BATCH, asked=batch, strangers="members", **WRITE),
    Line(operation=BATCH, case="as a stream", asked=stream, strangers="members", **WRITE),
    Line(operation="GET /integration/time-entries", asked=by_pair, **READ),
    Line(operation="GET /integration/time-entries/{id}", asked=by_id, **READ),
    Line(operation="GET /integration/checksum", asked=checksum, strangers="own", **READ),
    Line(operation="POST /integration/reconcile", asked=reconcile, strangers="own", **READ),
)
