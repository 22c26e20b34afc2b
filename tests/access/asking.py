"""Requests as the table's lines make them, and what their answers say."""

import json
import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import httpx

from tests.access.line import NDJSON, Asked, Line

PREFIX = "/api/v1"


async def ask(
    api: httpx.AsyncClient, line: Line, asked: Asked, key: str | None, *, prefix: str = PREFIX
) -> httpx.Response:
    """The answer to a request."""
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    content = asked.content()
    if content is not None:
        headers["Content-Type"] = asked.media_type
    path = prefix + line.path.format(**asked.ids)
    return await api.request(line.method, path, params=asked.query, content=content, headers=headers)


def members_of(answer: httpx.Response) -> list[dict[str, Any]]:
    """What became of the members of a request, one by one."""
    if answer.headers["content-type"].startswith(NDJSON):
        return [json.loads(line) for line in answer.text.splitlines()[:-1]]  # the last has the counts
    return answer.json()["results"]


def all_but_ids(answer: httpx.Response, ids: Mapping[str, UUID]) -> tuple[int, dict[str, str], str]:
    """Status, headers and body, without what differs from request to request: its id, and the ids that it names."""
    headers = {name: value for name, value in answer.headers.items() if name not in ("x-request-id", "date")}
    text = re.sub(r'"requestId":"[^"]*"', "", answer.text)
    for name, id_ in ids.items():
        text = text.replace(str(id_), f"<{name}>")
    return answer.status_code, headers, text
