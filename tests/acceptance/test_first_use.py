"""The first minutes with Align, from an empty directory."""

import json
import shlex
import shutil
import subprocess
from pathlib import Path

import httpx

from tests.acceptance.sending import entry_of, sync

ROOT = Path(__file__).parents[2]


def test_from_an_empty_directory_to_an_entry_that_survives_a_restart(align):
    demo = align.json("demo")
    assert align.postgres() is None
    first = align.start()
    url = first.ready()
    assert httpx.get(f"{url}/readyz").status_code == 200
    entry = entry_of(demo)
    created, repeated = sync(url, demo, entry), sync(url, demo, entry)
    assert (created.status_code, repeated.status_code) == (201, 200)
    first.stop()
    assert [line["event"] for line in first.lines()][-1] == "stopped"
    assert align.postgres() is None

    url = align.start().ready()
    again = sync(url, demo, entry)
    assert (again.status_code, again.json()) == (200, repeated.json())
    read = httpx.get(url + created.headers["location"], headers={"X-API-Key": demo["organizationKey"]})
    assert read.json()["integrationLinks"][0]["externalId"] == entry["externalId"]


def test_what_the_demo_prints_is_true_and_its_curl_line_works(align, tmp_path):
    with (tmp_path / "log").open("wb") as log:
        process = align.popen("demo", "--serve", "--port", "0", stderr=log)
    lines = read_until(process.stdout, "Press Ctrl-C to stop.")
    shown = [line.split(": ")[1] for line in lines if line.startswith(("The first answer", "The same request"))]
    assert shown == ["201 Created", "200 OK"]
    (documentation,) = [line.split()[1] for line in lines if line.startswith("Documentation: ")]
    assert httpx.get(documentation).headers["content-type"].startswith("text/html")
    (curl,) = [line for line in lines if line.startswith("curl ")]
    status, body = execute(curl)
    assert (status, body["created"]) == (200, False)
    process.terminate()
    assert process.wait(60) == 0
    assert align.postgres() is None


def read_until(stream, last):
    """The lines of the stream up to the one that is `last`."""
    lines = []
    while last not in lines:
        line = stream.readline()
        assert line, lines
        lines.append(line.rstrip("\n"))
    return lines


def execute(curl):
    """Status and body of what the line asks for: by curl, or as it is written where there is no curl."""
    words = shlex.split(curl)
    if shutil.which("curl"):
        printed = subprocess.run(words, capture_output=True, text=True, check=True, timeout=30).stdout
        head, body = printed.split("\n\n", 1)  # line ends as text
        return int(head.split()[1]), json.loads(body)
    assert words[:2] == ["curl", "-i"]
    options = list(zip(words[3::2], words[4::2], strict=True))
    headers = dict(value.split(": ", 1) for option, value in options if option == "-H")
    answer = httpx.post(words[2], headers=headers, content=dict(options)["-d"])
    return answer.status_code, answer.json()


def test_make_lists_the_commands():
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in ("setup", "demo", "serve", "test", "check", "bench"):
        assert f"make {target} " in listed
