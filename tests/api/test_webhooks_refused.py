"""What operations on webhooks refuse: bodies, keys, roles, and installations without a key for secrets."""

from uuid import uuid4

import httpx
import pytest

from align.roles import KEY_MINTERS, ROLES
from align.settings import Settings
from align.webhooks.names import EVENTS, FAMILIES
from tests.api.conftest import refusal, validation_error
from tests.api.subscriptions import PATH, URL, nothing_stored, subscribed
from tests.conftest import RunningServer

BODY = {"destinationUrl": URL, "eventNames": ["time.*"]}
SPAN = {"since": "2025-01-15T00:00:00Z", "until": "2025-01-16T00:00:00Z"}


async def refused(office, world, path, body, method="POST", **options):
    """The refusal of a call that must leave nothing behind."""
    async with nothing_stored(world):
        response = await office.call(method, path, json=body, **options)
    return response.status_code, refusal(response)


async def test_every_problem_of_a_body_is_named(world, office):
    body = {"destinationUrl": "http://127.0.0.1/", "eventNames": [], "description": 1, "enabled": "yes"}
    status, told = await refused(office, world, PATH, body)
    assert status == 400
    assert [(each["path"], each["code"]) for each in told["details"]] == [
        ("destinationUrl", "invalid_url"),
        ("eventNames", "too_short"),
        ("description", "wrong_type"),
        ("enabled", "wrong_type"),
    ]
    status, told = await refused(office, world, PATH, {})
    assert [(each["path"], each["code"]) for each in told["details"]] == [
        ("destinationUrl", "required"),
        ("eventNames", "required"),
    ]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://example.com/", "must begin with https://"),
        ("https://10.0.0.1/", "must lead to the public internet, which 10.0.0.1 does not"),
        ("https://localhost/", "must lead to the public internet, which localhost does not"),
        ("https://127.1/", "must write an address as 192.0.2.1 or [2001:db8::1]"),
        ("https://a:b@example.com/", "must name a host, without user name, password and fragment"),
    ],
)
async def test_destinations_are_checked_when_they_are_made_and_when_they_are_changed(world, office, url, message):
    expected = validation_error(("destinationUrl", "invalid_url", message))
    assert await refused(office, world, PATH, BODY | {"destinationUrl": url}) == (400, expected)
    made = await subscribed(office)
    assert await refused(office, world, f"{PATH}/{made['id']}", {"destinationUrl": url}, "PATCH") == (400, expected)


@pytest.mark.parametrize("member", ["destinationUrl", "eventNames", "enabled"])
async def test_null_is_no_value_of_what_must_have_one(world, office, member):
    made = await subscribed(office)
    status, told = await refused(office, world, f"{PATH}/{made['id']}", {member: None}, "PATCH")
    assert (status, [(each["path"], each["code"]) for each in told["details"]]) == (400, [(member, "wrong_type")])


async def test_unknown_names_of_events_are_listed_once_each_with_those_there_are(world, office):
    names = [
        "time.approved",
        "tme.approved",
        "time",
        "*",
        "TIME.approved",
        "time.approved ",
        "webhook.test",
        "tme.approved",
    ]
    expected = (
        400,
        {
            "error": "unknown_event_names",
            "message": "eventNames: no events are called "
            "'tme.approved', 'time', '*', 'TIME.approved', 'time.approved '",
            "invalid": ["tme.approved", "time", "*", "TIME.approved", "time.approved ", "webhook.test"],
            "known": [*EVENTS, *FAMILIES],
        },
    )
    assert await refused(office, world, PATH, BODY | {"eventNames": names}) == expected
    made = await subscribed(office)
    assert await refused(office, world, f"{PATH}/{made['id']}", {"eventNames": names}, "PATCH") == expected
    assert await refused(office, world, f"{PATH}/{made['id']}/replay", SPAN | {"eventNames": names}) == expected


@pytest.mark.parametrize("seconds", [-1, 30 * 24 * 3600 + 1, 1.5, "60", None])
async def test_the_overlap_of_secrets_has_limits(world, office, seconds):
    made = await subscribed(office)
    path = f"{PATH}/{made['id']}/rotate-secret"
    status, told = await refused(office, world, path, {"overlapSeconds": seconds})
    assert (status, [each["path"] for each in told["details"]]) == (400, ["overlapSeconds"])


@pytest.mark.parametrize(
    ("changes", "problems"),
    [
        ({"until": SPAN["since"]}, [("until", "out_of_range")]),
        ({"until": "2025-01-14T00:00:00Z"}, [("until", "out_of_range")]),
        ({"since": "2025-01-15", "until": "yesterday"}, [("since", "invalid_date"), ("until", "invalid_date")]),
        ({"since": "2025-01-15T00:00:00"}, [("since", "invalid_date")]),
        ({"since": "0001-01-01T00:00:00+14:00"}, [("since", "invalid_date")]),
        ({"until": "9999-12-31T23:59:59-14:00"}, [("until", "invalid_date")]),
        ({"since": None}, [("since", "wrong_type")]),
        ({"eventNames": []}, [("eventNames", "too_short")]),
    ],
)
async def test_a_replay_needs_a_span_of_time(world, office, changes, problems):
    made = await subscribed(office)
    status, told = await refused(office, world, f"{PATH}/{made['id']}/replay", SPAN | changes)
    assert (status, [(each["path"], each["code"]) for each in told["details"]]) == (400, problems)


async def test_a_replay_without_a_span_is_refused(world, office):
    made = await subscribed(office)
    status, told = await refused(office, world, f"{PATH}/{made['id']}/replay", {})
    assert status == 400
    assert [(each["path"], each["code"]) for each in told["details"]] == [("since", "required"), ("until", "required")]


@pytest.mark.parametrize(
    "query",
    [
        {"state": "lost"},
        {"since": "yesterday"},
        {"until": "9999-12-31T23:59:59-14:00"},
        {"since": "0001-01-01T00:00:00+14:00"},
        {"eventName": "x" * 101},
        {"pageSize": 101},
        {"page": 0},
        {"states": "failed"},
    ],
    ids=str,
)
async def test_deliveries_are_not_filtered_by_what_makes_no_sense(office, query):
    made = await subscribed(office)
    response = await office.get(f"{PATH}/{made['id']}/deliveries", **query)
    assert response.status_code == 400
    assert [each["path"] for each in refusal(response)["details"]] == list(query)


def operations(webhook_id):
    """Every operation, with a body that would do."""
    own = f"{PATH}/{webhook_id}"
    return [
        ("GET", PATH, None, "read:webhooks"),
        ("POST", PATH, BODY, "write:webhooks"),
        ("GET", own, None, "read:webhooks"),
        ("PATCH", own, {"enabled": False}, "write:webhooks"),
        ("POST", f"{own}/rotate-secret", {}, "write:webhooks"),
        ("POST", f"{own}/test", None, "write:webhooks"),
        ("GET", f"{own}/deliveries", None, "read:webhooks"),
        ("POST", f"{own}/deliveries/{uuid4()}/redeliver", None, "write:webhooks"),
        ("POST", f"{own}/replay", SPAN, "write:webhooks"),
        ("DELETE", own, None, "write:webhooks"),
    ]


async def test_keys_of_a_project_are_refused(world, office):
    made = await subscribed(office)
    for method, path, body, _ in operations(made["id"]):
        status, told = await refused(office, world, path, body, method, key=world.project_key)
        assert (status, told["error"], told["requiredScope"]) == (403, "scope_violation", "organization"), path


async def test_keys_need_the_permission(world, office):
    made = await subscribed(office)
    for permission, other in (("read:webhooks", "write:webhooks"), ("write:webhooks", "read:webhooks")):
        _, key = await world.mint(permissions=[other, "write:time_entries"])
        for method, path, body, needed in operations(made["id"]):
            if needed == permission:
                status, told = await refused(office, world, path, body, method, key=key)
                assert (status, told["requiredPermission"]) == (403, permission), path


async def test_the_permission_is_enough(world, office):
    made = await subscribed(office)
    _, reader = await world.mint(permissions=["read:webhooks"])
    _, writer = await world.mint(permissions=["write:webhooks"])
    keys = {"read:webhooks": reader, "write:webhooks": writer}
    statuses = [
        (await office.call(method, path, json=body, key=keys[needed])).status_code
        for method, path, body, needed in operations(made["id"])
    ]
    assert statuses == [200, 201, 200, 200, 200, 202, 200, 404, 202, 204]


@pytest.mark.parametrize("role", sorted(set(ROLES) - KEY_MINTERS))
async def test_some_roles_have_no_part_in_webhooks(world, office, role):
    made = await subscribed(office)
    key = await office.key_for(role)
    for method, path, body, _ in operations(made["id"]):
        status, told = await refused(office, world, path, body, method, key=key)
        assert (status, told["error"], told["role"]) == (403, "role_violation", role), path


@pytest.mark.parametrize("role", sorted(KEY_MINTERS))
async def test_who_mints_keys_makes_webhooks(office, role):
    made = await office.made(PATH, BODY, key=await office.key_for(role))
    assert made["eventNames"] == ["time.*"]


async def test_without_a_key_nothing_is_answered(world, office):
    made = await subscribed(office)
    for method, path, body, _ in operations(made["id"]):
        status, told = await refused(office, world, path, body, method, key="ako_unknown")
        assert (status, told["error"]) == (401, "key_invalid"), path


async def test_a_database_of_ones_own_needs_a_secret_key(world, office, database_url, tmp_path):
    made = await subscribed(office)
    settings = Settings(data_dir=tmp_path, database_url=database_url)
    with RunningServer(database_url, settings) as url:
        async with httpx.AsyncClient(base_url=f"{url}/api/v1", headers=world.headers) as client, nothing_stored(world):
            for path, body in ((PATH, BODY), (f"{PATH}/{made['id']}/rotate-secret", None)):
                response = await client.post(path, json=body)
                assert (response.status_code, refusal(response)) == (
                    501,
                    {
                        "error": "webhooks_not_configured",
                        "message": "this installation has no ALIGN_SECRET_KEY, which webhooks' secrets need",
                    },
                )
            assert (await client.get(PATH)).json()["total"] == 1
    assert list(tmp_path.iterdir()) == []


async def test_with_a_secret_key_it_works(world, database_url, tmp_path):
    settings = Settings(data_dir=tmp_path, database_url=database_url, secret_key="k" * 32, webhook_worker=False)
    with RunningServer(database_url, settings) as url:
        async with httpx.AsyncClient(base_url=f"{url}/api/v1", headers=world.headers) as client:
            response = await client.post(PATH, json=BODY)
    assert response.status_code == 201
