"""What a sync refers to must exist in the organisation and take time; nothing is stored otherwise."""

from uuid import UUID, uuid4

import pytest

from tests.api.conftest import nothing_stored, refusal, stored_once, validation_error
from tests.conftest import SYNC_PATH

NO_PROJECT = ("projectId", "not_found", "no such project in this organisation")
NO_USER = ("userId", "not_found", "no such user in this organisation")
CLIENT = ("userId", "role_without_time", "is a user with the role client, who logs no time")
NO_TICKET = ("entryId", "not_of_project", "must be the id of a ticket of the project in projectId")


def not_found(*problems: tuple[str, str, str]) -> dict[str, object]:
    path, _, message = problems[0]
    details = [dict(zip(("path", "code", "message"), problem, strict=True)) for problem in problems]
    return {"error": "not_found", "message": f"{path}: {message}", "details": details}


@pytest.mark.parametrize(
    ("names", "problems"),
    [(["projectId"], [NO_PROJECT]), (["userId"], [NO_USER]), (["projectId", "userId"], [NO_PROJECT, NO_USER])],
)
@pytest.mark.parametrize("whose", ["nobody's", "another organisation's"])
async def test_unknown_and_foreign_projects_and_users_are_equally_not_found(api, other_world, whose, names, problems):
    foreign = {"projectId": other_world.project_id, "userId": other_world.user_id}
    ids = {name: str(foreign[name] if whose != "nobody's" else uuid4()) for name in names}
    async with nothing_stored(api.world), nothing_stored(other_world):
        response = await api.sync(api.world.entry(**ids), idempotency_key="k")
    assert (response.status_code, refusal(response)) == (404, not_found(*problems))


async def test_the_nil_uuid_is_nobody(api):
    async with nothing_stored(api.world):
        response = await api.sync(api.world.entry(projectId=str(UUID(int=0)), userId=str(UUID(int=2**128 - 1))))
    assert (response.status_code, refusal(response)) == (404, not_found(NO_PROJECT, NO_USER))


async def test_the_ids_of_two_organisations_do_not_mix(api, other_world):
    """A foreign project with our user, and the other way round: composite keys must not be satisfied by halves."""
    for changes, problem in (
        ({"projectId": str(other_world.project_id)}, NO_PROJECT),
        ({"userId": str(other_world.user_id)}, NO_USER),
    ):
        async with nothing_stored(api.world), nothing_stored(other_world):
            response = await api.sync(api.world.entry(**changes))
        assert (response.status_code, refusal(response)) == (404, not_found(problem))


async def test_a_ticket_of_the_project_is_taken(api, pool):
    async with stored_once(api.world):
        response = await api.sync(api.world.entry(entryId=str(api.world.ticket_id)))
    assert (response.status_code, response.json()["entryId"]) == (201, str(api.world.ticket_id))
    assert api.world.ticket_id == await pool.fetchval(
        "select ticket_id from time_entries where organization_id = $1", api.world.organization_id
    )


@pytest.mark.parametrize("whose", ["nobody's", "another project's", "another organisation's"])
async def test_a_ticket_that_is_not_the_projects_is_refused(api, other_world, whose):
    ids = {
        "nobody's": uuid4(),
        "another project's": api.world.second_ticket_id,
        "another organisation's": other_world.ticket_id,
    }
    async with nothing_stored(api.world), nothing_stored(other_world):
        response = await api.sync(api.world.entry(entryId=str(ids[whose])))
    assert (response.status_code, refusal(response)) == (400, validation_error(NO_TICKET))


async def test_a_client_logs_no_time(api):
    async with nothing_stored(api.world):
        response = await api.sync(api.world.entry(userId=str(api.world.client_user_id)), idempotency_key="k")
    assert (response.status_code, refusal(response)) == (400, validation_error(CLIENT))


@pytest.mark.parametrize(
    "role", ["user", "tester", "developer", "tech_lead", "product_owner", "devops_engineer", "manager", "admin"]
)
async def test_every_other_role_logs_time(api, pool, role):
    await pool.execute(
        "update users set role = $3 where organization_id = $1 and id = $2",
        api.world.organization_id,
        api.world.user_id,
        role,
    )
    assert (await api.sync()).status_code == 201


async def test_client_and_ticket_are_reported_together(api):
    entry = api.world.entry(userId=str(api.world.client_user_id), entryId=str(uuid4()))
    async with nothing_stored(api.world):
        response = await api.sync(entry)
    assert (response.status_code, refusal(response)) == (400, validation_error(CLIENT, NO_TICKET))


async def test_an_archived_project_takes_no_new_time(api):
    async with nothing_stored(api.world):
        response = await api.sync(api.world.entry(projectId=str(api.world.archived_project_id)), idempotency_key="k")
    assert response.status_code == 409
    assert refusal(response) == {
        "error": "project_archived",
        "message": "the project is archived and takes no new time",
        "path": "projectId",
    }


async def test_a_refused_reference_may_be_retried_once_it_exists(api, other_world):
    entry = other_world.entry()
    async with nothing_stored(other_world):
        refused = await api.client.post(
            SYNC_PATH,
            json={**entry, "projectId": str(uuid4())},
            headers={**other_world.headers, "idempotency-key": "k"},
        )
    assert refused.status_code == 404
    accepted = await api.client.post(SYNC_PATH, json=entry, headers={**other_world.headers, "idempotency-key": "k"})
    assert accepted.status_code == 201
