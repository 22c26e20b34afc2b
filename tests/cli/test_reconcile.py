"""`align reconcile`: a file against a real server."""

import json
import os
import pty
import signal
import subprocess

import httpx
import pytest

DAYS = ("--from", "2025-01-01", "--to", "2025-01-31")


@pytest.fixture(scope="module")
def server(cli):
    """The demo's ids and keys, and the URL of a server with two entries of January."""
    with cli.start("demo", "--serve", "--json", "--port", "0", "--unlimited") as process:
        demo = json.loads(process.stdout.readline())
        for external_id, day in (("r-1", "2025-01-15"), ("r-2", "2025-01-16")):
            entry = {
                "projectId": demo["projectId"],
                "userId": demo["userId"],
                "workDate": day,
                "minutes": 60,
                "externalSystem": "jira",
                "externalId": external_id,
                "description": "Größe; geprüft",
            }
            answer = httpx.post(
                f"{demo['baseUrl']}/api/v1/integration/time-entries",
                json=entry,
                headers={"X-API-Key": demo["organizationKey"]},
            )
            assert answer.status_code == 201
        yield demo
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


@pytest.fixture
def reconcile(cli, server, tmp_path):
    """Runs the command on a file with the given text: exit code, stdout, stderr."""

    def run(text, *options, name="list", key=None, system="jira", days=DAYS):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        arguments = ["reconcile", str(path), "--system", system, *days, "--url", server["baseUrl"], *options]
        with cli.start(*arguments, ALIGN_API_KEY=server["organizationKey"] if key is None else key) as process:
            stdout, stderr = process.communicate(timeout=60)
        assert "Traceback" not in stderr
        assert "\x1b" not in stdout + stderr
        return process.returncode, stdout, stderr

    return run


EQUAL = "externalId,workDate,minutes\nr-1,2025-01-15,60\nr-2,2025-01-16,60\n"


@pytest.mark.parametrize(
    "text",
    [
        EQUAL,
        EQUAL.replace("\n", "\r\n").replace(",", ";"),
        "\ufeff" + EQUAL.replace(",", "\t"),
        'minutes,description,workDate,externalId,billable,status\n60,"Größe; geprüft",2025-01-15,r-1,TRUE,draft\n'
        "60,,2025-01-16,r-2,,\n\n",
        '\n{"externalId":"r-1","workDate":"2025-01-15","minutes":60}\n{"externalId":"r-2","workDate":"2025-01-16","minutes":60}',
        '\ufeff{"externalId":"r-1","workDate":"2025-01-15","minutes":60}\r\n\r\n'
        '{"externalId":"r-2","workDate":"2025-01-16","minutes":60}\r\n',
    ],
)  # fmt: skip
def test_equal_lists_end_with_0(reconcile, text):
    code, stdout, stderr = reconcile(text)
    assert (code, stderr) == (0, "")
    assert stdout == (
        "No differences.\n\n2 received, 2 same, 0 different, 0 missing, 0 extra, 0 invalid, 0 duplicate\n"
    )


DIFFERENT = (
    "externalId,workDate,minutes,billable\n"
    "r-1,2025-01-14,90,no\nr-1,2025-01-15,60,false\nr-9,2025-01-15,x,\nr-8,2025-01-01,5,\n"
)


def test_differences_end_with_1_and_are_told(reconcile):
    code, stdout, stderr = reconcile(DIFFERENT)
    assert (code, stderr) == (1, "")
    rows = [line.split(maxsplit=3) for line in stdout.splitlines()]
    assert ["r-8", "4", "missing", "is not on the server"] in [[cell.strip() for cell in row] for row in rows]
    assert "billable: false in the list, true on the server" in stdout
    assert "billable: must be true or false, not a string" in stdout
    assert "minutes: must be an integer from 1 to 1440, not a string" in stdout
    assert "is not in the list: 2025-01-16, 60 minutes" in stdout
    assert stdout.splitlines()[-1] == "4 received, 0 same, 1 different, 1 missing, 1 extra, 2 invalid, 0 duplicate"


def test_json_is_one_value(reconcile):
    code, stdout, _ = reconcile(DIFFERENT, "--json")
    assert code == 1
    found = json.loads(stdout)
    assert found["summary"]["received"] == 4
    assert sorted(each["kind"] for each in found["differences"]) == [
        "different",
        "extra",
        "invalid",
        "invalid",
        "missing",
    ]
    code, stdout, _ = reconcile(EQUAL, "--json")
    assert (code, json.loads(stdout)["differences"]) == (0, [])


def test_an_empty_file_is_an_empty_list(reconcile):
    code, stdout, _ = reconcile("")
    assert (code, stdout.count("is not in the list")) == (1, 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("externalId,minutes\nx,1\n", "the first row names no column workDate"),
        (EQUAL + "r-3,2025-01-17\n", "line 4 has 2 cells; the first row has 3"),
        (EQUAL.encode() + b"\xff,2025-01-17,1\n", "line 4 is not UTF-8"),
        (EQUAL + '"r-3"x,2025-01-17,1\n', "line 4 is not CSV"),
    ],
)
def test_a_file_that_is_no_list_ends_with_2(reconcile, text, message):
    code, stdout, stderr = reconcile(text)
    assert (code, stdout) == (2, "")
    assert message in stderr


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"key": "ako_x"}, "key_invalid", "is it cut off"),
        ({"key": ""}, "usage", "ALIGN_API_KEY"),
        ({"days": ("--from", "2025-01-32", "--to", "2025-01-31")}, "usage", "'2025-01-32' is not a day"),
        ({"days": ("--from", "2025-02-01", "--to", "2025-01-31")}, "validation_error", "must not lie before startDate"),
        ({"system": ""}, "validation_error", "externalSystem"),
    ],
)
def test_what_can_not_be_compared_ends_with_2(reconcile, options, error, message):
    code, stdout, stderr = reconcile(EQUAL, "--json", **options)
    assert (code, stdout) == (2, "")
    failure = json.loads(stderr)
    assert failure["error"] == error
    assert message in failure["message"]
    assert "ako_" not in stderr


@pytest.mark.parametrize(
    ("url", "error"),
    [("http://127.0.0.1:9", "unreachable"), ("ftp://x", "usage"), ("file:///etc/passwd", "usage"), ("x", "usage")],
)
def test_what_is_no_server_ends_with_2(reconcile, url, error):
    code, _, stderr = reconcile(EQUAL, "--json", "--url", url)
    assert (code, json.loads(stderr)["error"]) == (2, error)


def test_a_missing_file_ends_with_2(cli):
    process = cli.run("reconcile", "nowhere.csv", "--system", "jira", *DAYS, expect=2, ALIGN_API_KEY="ako_x")
    assert "nowhere.csv: No such file" in process.stderr


def test_a_list_may_come_through_a_pipe(cli, server):
    done = subprocess.run(
        [cli.program, "reconcile", "-", "--system", "jira", *DAYS, "--url", server["baseUrl"]],
        env=cli.environment | {"ALIGN_API_KEY": server["organizationKey"]},
        input=EQUAL.encode(),
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_terminal_sees_a_bar_and_a_table_that_fits(cli, server, tmp_path):
    path = tmp_path / "list.csv"
    rows = (f"absent {number} {'x' * 30},2025-01-15,1\n" for number in range(3000))
    path.write_text("externalId,workDate,minutes\n" + "".join(rows))
    ours, theirs = pty.openpty()
    command = [cli.program, "reconcile", str(path), "--system", "jira", *DAYS, "--url", server["baseUrl"]]
    environment = cli.environment | {"ALIGN_API_KEY": server["organizationKey"], "TERM": "xterm", "COLUMNS": "70"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=theirs) as process:
        os.close(theirs)
        stdout = process.stdout.read()
        assert process.wait(60) == 1
    assert b"sending" in os.read(ours, 65536)
    os.close(ours)
    assert b"\x1b" not in stdout
    assert stdout.count(b"is not on the server") == 3000
