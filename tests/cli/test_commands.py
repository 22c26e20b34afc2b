"""What operators do: organisations, users, projects, tickets and keys."""

import hashlib
import os
import pty
import re
import subprocess
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest


@pytest.fixture(scope="module")
def org(cli) -> str:
    """The name of an organisation with a user, made through the command line."""
    cli.run("orgs", "create", "Acme")
    cli.run("users", "create", "Acme", "--email", "ada@acme.example", "--name", "Ada", "--role", "admin")
    return "Acme"


def mint(cli, org, *options):
    return cli.json("keys", "mint", org, "--name", "sender", "--created-by", "ada@acme.example", *options)


def test_organizations(cli):
    created = cli.json("orgs", "create", "  Bolt & Söhne ")
    assert created["name"] == "Bolt & Söhne"
    assert created["features"] == ["time_tracking"]
    assert created["strict"] is False
    assert UUID(created["id"]).version == 7
    assert datetime.fromisoformat(created["createdAt"]).tzinfo is UTC
    assert cli.json("orgs", "features", created["id"], "time_tracking", "off")["features"] == []
    assert cli.run("orgs", "features", "Bolt & Söhne").stdout.split() == ["time_tracking", "off"]
    cli.run("orgs", "features", "Bolt & Söhne", "time_tracking", "off")  # nothing changes: no event
    assert cli.json("orgs", "strict", created["id"], "on")["strict"] is True
    assert cli.events(created["id"]) == [
        ("organization.created", "organization", created["id"], None, created),
        ("organization.updated", "organization", created["id"], {"features": ["time_tracking"]}, {"features": []}),
        ("organization.updated", "organization", created["id"], {"strict": False}, {"strict": True}),
    ]


def test_features_can_be_left_off_from_the_start(cli):
    plain = cli.json("orgs", "create", "Plain", "--without", "time_tracking")
    assert plain["features"] == []
    assert plain in cli.json("orgs", "list")


def test_users(cli, org):
    created = cli.json("users", "create", org, "--email", "Bob@acme.example", "--name", "Bob [b]x[/b]")
    assert (created["role"], created["deactivatedAt"]) == ("user", None)
    twice = cli.failure("users", "create", org, "--email", "bob@ACME.example", "--name", "Bobby")
    assert (twice["error"], "bob@ACME.example" in twice["message"]) == ("already_exists", True)
    assert cli.json("users", "role", org, "bob@acme.example", "manager")["role"] == "manager"
    assert cli.json("users", "deactivate", org, created["id"])["deactivatedAt"]
    assert cli.failure("keys", "mint", org, "--name", "x", "--created-by", created["id"])["error"] == "refused"
    listed = cli.run("users", "list", org).stdout.splitlines()
    assert [line.split() for line in listed if "Bob" in line] == [
        [created["id"], "Bob@acme.example", "Bob", "[b]x[/b]", "manager", "deactivated"]
    ]
    assert cli.json("users", "activate", org, created["id"])["deactivatedAt"] is None
    names = [event[0] for event in cli.events(created["organizationId"]) if event[2] == created["id"]]
    assert names == ["user.invited", "user.updated", "user.updated", "user.updated"]


def test_projects_and_tickets(cli, org):
    project = cli.json("projects", "create", org, "Website")
    assert project["status"] == "active"
    ticket = cli.json("tickets", "create", org, "Website", "Plan it")
    assert (ticket["projectId"], ticket["title"]) == (project["id"], "Plan it")
    assert cli.json("tickets", "list", org, project["id"]) == [ticket]
    assert cli.json("projects", "status", org, "Website", "archived")["status"] == "archived"
    assert [event[0] for event in cli.events(project["organizationId"]) if event[1] in ("project", "ticket")] == [
        "project.created",
        "ticket.created",
        "project.updated",
    ]


def test_ambiguous_names_are_refused_with_the_ids(cli):
    ids = {cli.json("orgs", "create", "Twin")["id"] for _ in range(2)}
    failure = cli.failure("orgs", "features", "Twin")
    assert failure["error"] == "ambiguous"
    assert all(each in failure["message"] for each in ids)


def test_a_minted_key_is_shown_once_and_stored_as_a_digest(cli, org):
    output = cli.run("keys", "mint", org, "--name", "human", "--created-by", "ada@acme.example").stdout
    text = re.search(r"^ako_\w{38}$", output, re.MULTILINE)[0]
    minted = mint(cli, org)
    assert minted["key"].startswith(minted["prefix"])
    assert (minted["scope"], minted["rateLimitPerMinute"], minted["expiresAt"]) == ("organization", 600, None)
    stored = cli.query("select id::text, digest from api_keys where name in ('human', 'sender')")
    assert (minted["id"], hashlib.sha256(minted["key"].encode()).digest()) in stored
    for table in ("api_keys", "events"):
        dump = str(cli.query(f"select to_jsonb(t) from {table} t"))
        assert minted["prefix"] in dump
        for secret in (text, minted["key"]):
            assert secret[10:] not in dump
            if table == "events":
                assert hashlib.sha256(secret.encode()).hexdigest() not in dump


def test_keys_of_one_project_with_expiry_and_limit(cli, org):
    project = cli.json("projects", "create", org, "Scoped")
    scoped = mint(cli, org, "--project", "Scoped", "--expires-in-days", "3", "--rate-limit", "7")
    assert (scoped["scope"], scoped["scopedProjectId"]) == ("project", project["id"])
    assert scoped["key"].startswith("akp_")
    assert scoped["rateLimitPerMinute"] == 7
    left = datetime.fromisoformat(scoped["expiresAt"]) - datetime.now(UTC)
    assert timedelta(days=2, hours=23) < left <= timedelta(days=3)
    dated = mint(cli, org, "--expires-at", "2199-01-31T12:00:00+02:00", "--unlimited")
    assert (dated["expiresAt"], dated["rateLimitPerMinute"]) == ("2199-01-31T10:00:00Z", None)


def test_keys_are_revoked_and_limited_by_prefix_id_or_text(cli, org):
    minted = cli.json("keys", "create", org, "--name", "to revoke", "--created-by", "ada@acme.example")
    assert cli.json("keys", "rate-limit", org, minted["prefix"], "5")["rateLimitPerMinute"] == 5
    assert cli.json("keys", "rate-limit", org, minted["id"], "unlimited")["rateLimitPerMinute"] is None
    revoked = cli.json("keys", "revoke", org, minted["key"])
    assert revoked["revokedAt"]
    assert cli.json("keys", "revoke", org, minted["prefix"]) == revoked
    assert [event[0] for event in cli.events(minted["organizationId"]) if event[2] == minted["id"]] == [
        "api_key.created",
        "api_key.updated",
        "api_key.updated",
        "api_key.revoked",
    ]
    listed = {each["id"]: each for each in cli.json("keys", "list", org)}
    assert listed[minted["id"]] == revoked
    line = next(line for line in cli.run("keys", "list", org).stdout.splitlines() if minted["prefix"] in line)
    assert line.split() == [minted["prefix"], "to", "revoke", "organization", "unlimited", "revoked", "-", "all", "any"]


def test_keys_with_permissions_and_a_source(cli, org):
    permissions = ["--permission", "write:time_entries", "--permission", "read:time_entries"]
    minted = mint(cli, org, *permissions, "--source", "Zoe\u0308")
    assert (minted["permissions"], minted["sourceBinding"]) == (["read:time_entries", "write:time_entries"], "Zoë")
    line = next(line for line in cli.run("keys", "list", org).stdout.splitlines() if minted["prefix"] in line)
    assert line.split()[-3:] == ["read:time_entries,", "write:time_entries", "Zoë"]
    for wrong, named in ((["--permission", "fly:moon"], "read:organization"), (["--source", " "], "source")):
        failure = cli.failure("keys", "mint", org, "--name", "x", "--created-by", "ada@acme.example", *wrong)
        assert (failure["error"], named in failure["message"]) == ("refused", True)


def test_a_key_is_rotated_and_its_old_text_still_finds_it(cli, org):
    minted = mint(cli, org)
    rotated = cli.json("keys", "rotate", org, minted["id"], "--overlap-seconds", "60")
    assert rotated["key"].startswith(rotated["prefix"])
    assert (rotated["id"], rotated["key"] == minted["key"]) == (minted["id"], False)
    left = datetime.fromisoformat(rotated["previousValidUntil"]) - datetime.now(UTC)
    assert timedelta(seconds=-10) < left <= timedelta(seconds=60)
    for text in (minted["key"], rotated["key"]):
        assert cli.json("keys", "rate-limit", org, text, "5")["id"] == minted["id"]
    output = cli.run("keys", "rotate", org, rotated["prefix"]).stdout
    assert re.search(r"^ako_\w{38}$", output, re.MULTILINE)
    assert re.search(r"^old secret +until \d{4}-", output, re.MULTILINE)
    names = [event[0] for event in cli.events(minted["organizationId"]) if event[2] == minted["id"]]
    assert names == ["api_key.created", "api_key.rotated", "api_key.updated", "api_key.rotated"]
    stored = str(cli.query("select to_jsonb(t) from events t"))
    assert rotated["prefix"] in stored
    assert rotated["key"][10:] not in stored
    cli.json("keys", "revoke", org, minted["id"])
    assert cli.failure("keys", "rotate", org, minted["id"])["error"] == "key_ended"
    cli.run("keys", "rotate", org, minted["id"], "--overlap-seconds", "-1", expect=2)


def test_one_tenant_never_reaches_the_other(cli, org):
    minted = mint(cli, org)
    cli.run("orgs", "create", "Foreign")
    for command in (
        ["keys", "revoke", "Foreign", minted["id"]],
        ["users", "deactivate", "Foreign", minted["createdByUserId"]],
    ):
        assert cli.failure(*command)["error"] == "not_found"


def test_a_terminal_gets_whole_ids_within_its_width(cli, org):
    user = cli.json("users", "list", org)[0]
    keeper, terminal = pty.openpty()
    environment = cli.environment | {"COLUMNS": "80", "TERM": "xterm"}
    subprocess.run([cli.program, "users", "list", org], env=environment, stdout=terminal, check=True, timeout=60)
    os.close(terminal)
    text = os.read(keeper, 100_000).decode()
    os.close(keeper)
    lines = re.sub(r"\x1b\[[\d;]*m", "", text).split("\r\n")
    assert any(user["id"] in line for line in lines)
    assert max(map(len, lines)) <= 80
    assert "…" not in text
