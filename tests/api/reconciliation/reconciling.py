"""What a sender does of its own to compare both sides: written from the documentation, not from the program."""

import hashlib
import json
import unicodedata
from collections.abc import Iterable
from itertools import groupby
from typing import Any

import httpx

from tests.conftest import World

CHECKSUM_PATH = "/api/v1/integration/checksum"
RECONCILE_PATH = "/api/v1/integration/reconcile"
JANUARY = {"externalSystem": "illumera", "startDate": "2025-01-01", "endDate": "2025-01-31"}

Entry = dict[str, Any]


def digest(entries: Iterable[Entry], *, include_status: bool = True) -> str:
    """SHA-256 over the entries' lines in the order of their external ids' bytes."""
    lines = []
    for entry in entries:
        external_id = unicodedata.normalize("NFC", entry["externalId"])
        cells = [external_id, str(entry["minutes"]), entry["workDate"][:10]]
        cells += [entry.get("status", "draft")] if include_status else []
        lines.append((external_id.encode(), "\t".join(cells).encode() + b"\n"))
    return hashlib.sha256(b"".join(line for _, line in sorted(lines))).hexdigest()


def summed(entries: Iterable[Entry], *, include_status: bool = True) -> Entry:
    """Count, minutes and hash."""
    entries = list(entries)
    return {
        "count": len(entries),
        "minutes": sum(entry["minutes"] for entry in entries),
        "hash": digest(entries, include_status=include_status),
    }


MEMBER_OF = {"day": "workDate", "project": "projectId", "user": "userId"}


def grouped(entries: Iterable[Entry], group_by: str, *, include_status: bool = True) -> list[Entry]:
    """The sums by group, in the order of the keys."""

    def key(entry: Entry) -> str:
        return entry[MEMBER_OF[group_by]][: 10 if group_by == "day" else None]

    return [
        {"key": each, **summed(group, include_status=include_status)}
        for each, group in groupby(sorted(entries, key=key), key=key)
    ]


async def synced(world: World, client: httpx.AsyncClient, entries: Iterable[Entry]) -> list[str]:
    """Sync the entries; returns their ids."""
    entries = list(entries)
    ids = []
    for start in range(0, len(entries), 1000):
        body = {"entries": entries[start : start + 1000]}
        answer = await client.post("/api/v1/integration/time-entries/batch", json=body, headers=world.headers)
        results = answer.json()["results"]
        assert all(result["status"] == 201 for result in results), results
        ids += [result["entry"]["id"] for result in results]
    return ids


async def checksum(world: World, client: httpx.AsyncClient, **parameters: object) -> Entry:
    """The checksums of January, unless `parameters` say otherwise."""
    query = {name: str(value).lower() if isinstance(value, bool) else value for name, value in parameters.items()}
    response = await client.get(CHECKSUM_PATH, params={**JANUARY, **query}, headers=world.headers)
    assert response.status_code == 200, response.text
    return response.json()


def listed(entry: Entry, **changes: object) -> Entry:
    """The three members that every line has, and `changes`."""
    return {name: entry[name] for name in ("externalId", "workDate", "minutes")} | changes


def lines_of(entries: Iterable[object]) -> bytes:
    """The entries as lines; bytes stay as they are."""
    return b"".join(
        (each if isinstance(each, bytes) else json.dumps(each, ensure_ascii=False).encode()) + b"\n" for each in entries
    )


async def post_list(
    world: World, client: httpx.AsyncClient, entries: Iterable[object], *, headers: Any = None, **parameters: object
) -> httpx.Response:
    """The answer to a list of January, unless `parameters` say otherwise."""
    return await client.post(
        RECONCILE_PATH,
        params={**JANUARY, **parameters},
        content=lines_of(entries),
        headers={"Content-Type": "application/x-ndjson", **world.headers, **(headers or {})},
    )


def differences(response: httpx.Response) -> tuple[list[Entry], Entry]:
    """The differences and the counts; the counts must be those of the lines."""
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/x-ndjson"
    assert response.text.endswith("\n")
    *found, summary = map(json.loads, response.text.splitlines())
    assert summary.pop("kind") == "summary"
    for kind in ("different", "missing", "extra", "invalid", "duplicate"):
        assert summary[kind] == sum(each["kind"] == kind for each in found)
    assert summary["received"] == sum(summary.values()) - summary["received"] - summary["extra"]
    for each in found:
        if each["kind"] == "invalid":
            assert each["error"].pop("requestId") == response.headers["x-request-id"]
    return found, summary


def kinds(found: Iterable[Entry]) -> set[tuple[str, str]]:
    """(kind, external id) of differences."""
    return {(each["kind"], each["externalId"]) for each in found}
