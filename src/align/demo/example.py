"""The example of the API's documentation with the demo's ids: as a request to send, and as a curl line."""

import json
import shlex
from contextlib import closing
from typing import NamedTuple
from urllib.parse import urlsplit

from align.demo.data import Demo

PATH = "/api/v1/integration/time-entries"
# The server just answered its first request, so a silent minute means that it hangs.
TIMEOUT_SECONDS = 60


class NoAnswer(Exception):
    """The server could not be reached or did not answer with JSON; the message says what happened."""


class Answer(NamedTuple):
    """What came back: `document` is the decoded JSON body."""

    status: int
    reason: str
    headers: list[tuple[str, str]]
    document: object


def body(demo: Demo) -> dict[str, object]:
    """The members of the example time entry."""
    return {
        "projectId": str(demo.project_id),
        "userId": str(demo.user_id),
        "workDate": "2025-01-15",
        "minutes": 150,
        "billable": True,
        "description": "Sprint planning session.",
        "externalSystem": "illumera",
        "externalId": "illumera-te-001",
    }


def curl(base_url: str, demo: Demo) -> str:
    """One shell line that syncs the example to the server at `base_url`."""
    return " ".join(
        [
            f"curl -i {shlex.quote(base_url + PATH)}",
            f"-H 'Authorization: Bearer {demo.organization_key}'",
            "-H 'Content-Type: application/json'",
            f"-d {shlex.quote(json.dumps(body(demo)))}",
        ]
    )


def sync(base_url: str, demo: Demo) -> Answer:
    """Send the example to the server at `base_url`. Raises NoAnswer."""
    import http.client

    headers = {"Authorization": f"Bearer {demo.organization_key}", "Content-Type": "application/json"}
    try:
        address = urlsplit(base_url)
        made = http.client.HTTPConnection(address.hostname or "", address.port, timeout=TIMEOUT_SECONDS)
        with closing(made) as connection:
            connection.request("POST", PATH, json.dumps(body(demo)), headers)
            response = connection.getresponse()
            return Answer(response.status, response.reason, response.getheaders(), json.loads(response.read()))
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NoAnswer(f"{type(error).__name__}: {error}") from error
