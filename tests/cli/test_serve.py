"""`align serve` and `align demo --serve`: a real server, started and stopped as people do it."""

import json
import signal
import socket

import httpx
import psycopg
import pytest


def stop(process, number=signal.SIGINT):
    """Ends the server; its exit code must be 0, and what it still printed is returned."""
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, (stdout, stderr)
    assert "Traceback" not in stderr
    return stdout


def read_until(process, end):
    text = ""
    while end not in text:
        line = process.stdout.readline()
        assert line, (text, process.stderr.read())
        text += line
    return text


def answers_in(text):
    """The JSON documents of the text, which must not be wrapped or cut."""
    documents, decoder, position = [], json.JSONDecoder(), text.find("\n{")
    while position != -1:
        document, end = decoder.raw_decode(text, position + 1)
        documents.append(document)
        position = text.find("\n{", end)
    return documents


@pytest.mark.parametrize("statuses", [("201 Created", "200 OK"), ("200 OK", "200 OK")])
def test_the_demo_syncs_its_example_twice(cli, statuses):
    with cli.start("demo", "--serve", "--port", "0") as process:
        text = read_until(process, "Press Ctrl-C to stop")
        stop(process)
    request, first, second = answers_in(text)
    assert f"The first answer: {statuses[0]}" in text
    assert f"The same request again: {statuses[1]}" in text
    assert first["id"] == second["id"]
    assert (first["minutes"], first["hours"], request["minutes"]) == (150, "2.5", 150)
    assert ("An earlier run stored" in text) == (statuses[0] == "200 OK")
    assert "/docs" in text
    assert "\x1b" not in text


def test_a_script_waits_for_the_demo_and_finds_keys_changed_at_once(cli):
    with cli.start("demo", "--serve", "--json", "--port", "0", "--unlimited") as process:
        demo = json.loads(process.stdout.readline())
        url, headers = f"{demo['baseUrl']}/api/v1/me", {"X-API-Key": demo["organizationKey"]}
        assert httpx.get(url, headers=headers).json()["organizationId"] == demo["organizationId"]
        cli.run("keys", "revoke", "Demo", demo["organizationKey"])
        refused = httpx.get(url, headers=headers)
        assert (refused.status_code, refused.json()["error"]) == (401, "key_revoked")
        assert stop(process, signal.SIGTERM) == ""


def test_a_taken_port_is_told(cli):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        process = cli.run("serve", "--port", port, expect=1)
    assert process.stderr.startswith(f"Error: 127.0.0.1:{port} can't be listened on")


def test_a_failed_command_leaves_no_database_running(cli, tmp_path):
    cli.run("orgs", "features", "Nobody", "--data-dir", str(tmp_path), expect=1)
    assert (tmp_path / "postgres" / "PG_VERSION").exists()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(f"postgresql://postgres@/align?host={tmp_path / 'postgres'}")
    assert not (tmp_path / "postgres" / "postmaster.pid").exists()
