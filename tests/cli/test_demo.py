"""`align demo`: the same data every time, whoever runs it, however often."""

import json
import re
import shlex

import pytest

KEYS = {"organizationKey", "projectKey", "revokedKey", "expiredKey"}


@pytest.fixture(scope="module")
def demo(cli):
    """The demo's data, made by two runs at once on a database that no migration has touched yet."""
    runs = [cli.start("demo", "--json") for _ in range(2)]
    outputs = [run.communicate(timeout=60) for run in runs]
    assert [run.returncode for run in runs] == [0, 0], outputs
    assert [stderr for _, stderr in outputs] == ["", ""]
    first, second = (json.loads(stdout) for stdout, _ in outputs)
    assert stable(first) == stable(second)
    assert not set(keys(first)) & set(keys(second))
    return first


def stable(demo):
    return {
        name: stable(value) if isinstance(value, dict) else value
        for name, value in demo.items()
        if not name.endswith("Key")
    }


def keys(demo):
    for name, value in demo.items():
        if isinstance(value, dict):
            yield from keys(value)
        elif name.endswith("Key"):
            yield value


def test_the_members(demo):
    assert set(demo) == KEYS | {
        *("organizationId", "projectId", "secondProjectId", "archivedProjectId", "userId", "managerId"),
        *("clientUserId", "entryId", "secondEntryId", "other", "withoutTimeTracking"),
    }
    assert set(demo["other"]) == {"organizationId", "projectId", "userId", "entryId", "organizationKey"}
    assert set(demo["withoutTimeTracking"]) == {"organizationId", "projectId", "userId", "organizationKey"}


def test_the_data_are_what_the_names_promise(cli, demo):
    check_data(cli, demo)


def check_data(cli, demo):
    other, without = demo["other"], demo["withoutTimeTracking"]
    assert set(cli.query("select organization_id::text, features, strict from organizations")) == {
        (demo["organizationId"], ("time_tracking",), False),
        (other["organizationId"], ("time_tracking",), False),
        (without["organizationId"], (), False),
    }
    assert set(cli.query("select organization_id::text, id::text, role from users where role <> 'admin'")) == {
        (demo["organizationId"], demo["userId"], "developer"),
        (demo["organizationId"], demo["managerId"], "manager"),
        (demo["organizationId"], demo["clientUserId"], "client"),
        (other["organizationId"], other["userId"], "developer"),
        (without["organizationId"], without["userId"], "developer"),
    }
    assert cli.query("select count(*) from users where role = 'admin' and deactivated_at is null") == [(3,)]
    assert set(cli.query("select organization_id::text, id::text, status from projects")) == {
        (demo["organizationId"], demo["projectId"], "active"),
        (demo["organizationId"], demo["secondProjectId"], "active"),
        (demo["organizationId"], demo["archivedProjectId"], "archived"),
        (other["organizationId"], other["projectId"], "active"),
        (without["organizationId"], without["projectId"], "active"),
    }
    assert set(cli.query("select project_id::text, id::text from tickets")) == {
        (demo["projectId"], demo["entryId"]),
        (demo["secondProjectId"], demo["secondEntryId"]),
        (other["projectId"], other["entryId"]),
    }


def test_the_keys_are_what_the_names_promise(cli, demo):
    stored = {
        key: cli.query(
            "select k.scope, k.scoped_project_id::text, k.revoked_at is not null, k.expires_at < now(), u.role, "
            "k.rate_limit_per_minute from api_keys k join users u on u.id = k.created_by_user_id "
            "where k.digest = sha256(%s::bytea)",
            demo[key].encode(),
        )
        for key in KEYS
    }
    assert stored == {
        "organizationKey": [("organization", None, False, None, "admin", 600)],
        "projectKey": [("project", demo["projectId"], False, None, "admin", 600)],
        "revokedKey": [("organization", None, True, None, "admin", 600)],
        "expiredKey": [("organization", None, False, True, "admin", 600)],
    }


def test_what_was_changed_by_hand_is_mended(cli, demo):
    cli.change("update organizations set features = array['time_tracking'], strict = true, locked_until = '2200-12-31'")
    cli.change("update projects set status = 'active'")
    cli.change("update users set deactivated_at = now()")
    cli.change("update users set role = 'manager' where role <> 'admin'")
    again = cli.json("demo", "--unlimited")
    check_data(cli, demo)
    assert cli.query("select distinct locked_until from organizations") == [(None,)]
    assert stable(again) == stable(demo)
    assert not set(keys(again)) & set(keys(demo))
    prefixes = [key[:10] for key in keys(again)]
    limits = "select distinct rate_limit_per_minute from api_keys where prefix = any(%s)"
    assert cli.query(limits, prefixes) == [(None,)]
    mended = "select before::text, after::text from events where entity_id = %s and event_name = 'project.updated'"
    assert cli.query(mended, demo["archivedProjectId"]) == [('{"status":"active"}', '{"status":"archived"}')]


def test_people_get_a_table_and_a_command_to_copy(cli, demo):
    output = cli.run("demo").stdout
    for value in (demo["organizationId"], demo["other"]["entryId"]):
        assert value in output
    command = shlex.split(next(line for line in output.splitlines() if line.startswith("curl ")))
    assert "http://127.0.0.1:8080/api/v1/integration/time-entries" in command
    assert re.search(r"Authorization: Bearer ako_\w{38}$", command[command.index("-H") + 1])
    assert json.loads(command[command.index("-d") + 1]) == {
        "projectId": demo["projectId"],
        "userId": demo["userId"],
        "workDate": "2025-01-15",
        "minutes": 150,
        "billable": True,
        "description": "Sprint planning session.",
        "externalSystem": "illumera",
        "externalId": "illumera-te-001",
    }
