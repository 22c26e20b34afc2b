"""What holds for every path: methods, unknown paths, request ids, and one form for every refusal."""

from uuid import UUID

import pytest

from tests.api.conftest import nothing_stored, refusal
from tests.conftest import SYNC_PATH

PATHS = {
    SYNC_PATH: ["GET", "POST"],
    "/integration/time-entries": ["GET", "POST"],
    f"{SYNC_PATH}/7b1e2c3d-0000-0000-0000-000000000001": ["GET"],
    "/integration/time-entries/x": ["GET"],
    "/api/v1/me": ["GET"],
    "/api/v1/openapi.json": ["GET"],
    "/livez": ["GET"],
    "/readyz": ["GET"],
    "/metrics": ["GET"],
    "/docs": ["GET"],
}


METHODS = ["HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"]


@pytest.mark.parametrize(
    ("path", "method"), [(path, method) for path in PATHS for method in METHODS if method not in PATHS[path]]
)
async def test_other_methods_are_refused_with_those_that_exist(shared_world, client, path, method):
    async with nothing_stored(shared_world):
        response = await client.request(method, path, headers=shared_world.headers)
    assert response.status_code == 405
    assert response.headers["allow"] == ", ".join(PATHS[path])
    if method != "HEAD":
        assert refusal(response) == {
            "error": "method_not_allowed",
            "message": f"this path takes {', '.join(PATHS[path])} only",
            "allowed": PATHS[path],
        }


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/api/v1",
        "/api/v1/",
        "/api/v2/me",
        "/me",
        "/api/v1/integration",
        f"{SYNC_PATH}/",
        f"{SYNC_PATH}/a/b",
        "/API/V1/integration/time-entries",
        "//api/v1/me",
        "/api/v1/me/",
        "/api/v1/integration/time-entries%2F",
        "/api/v1/%6De%00",
        "/docs/%2e%2e/api/v1/me",
        "/%ff%fe",
        "/favicon.ico",
        "/.env",
    ],
)
async def test_an_unknown_path_is_not_found_in_the_form_of_every_refusal(shared_world, client, method, path):
    async with nothing_stored(shared_world):
        response = await client.request(method, path, headers=shared_world.headers)
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/json"
    assert refusal(response) == {
        "error": "not_found",
        "message": "there is nothing at this path; the API is documented at /docs",
    }


@pytest.mark.parametrize("path", [SYNC_PATH, "/api/v1/me", "/livez", "/nowhere"])
@pytest.mark.parametrize("given", ["a", "req-1.2_3:4/5+6=7", "x" * 128, str(UUID(int=7))])
async def test_a_sane_request_id_is_echoed(shared_world, client, path, given):
    response = await client.get(path, headers={**shared_world.headers, "x-request-id": given})
    assert response.headers["x-request-id"] == given
    if response.status_code >= 400:
        assert response.json()["requestId"] == given


@pytest.mark.parametrize(
    "given", [b"", b" ", b"a b", b"x" * 129, b"<script>", b"a\xe9", b"a\tb", b'"a"', b"a,b", b"%0d%0a"]
)
async def test_any_other_request_id_is_replaced(shared_api, given):
    accepted = await shared_api.post(
        json=shared_api.world.entry(), headers={**shared_api.world.headers, b"x-request-id": given}
    )
    refused = await shared_api.post(content=b"{", headers={**shared_api.world.headers, b"x-request-id": given})
    assert (accepted.status_code, refused.status_code) == (201, 415)
    for response in (accepted, refused):
        assert UUID(response.headers["x-request-id"]).version == 7


async def test_request_ids_of_ours_are_unique(api):
    answers = [await api.sync() for _ in range(20)]
    assert len({answer.headers["x-request-id"] for answer in answers}) == 20


async def test_a_syncs_request_id_is_echoed_too(api):
    response = await api.sync(x_request_id="outbox-17")
    assert (response.status_code, response.headers["x-request-id"]) == (201, "outbox-17")


async def test_a_query_on_a_sync_changes_nothing(world, client):
    response = await client.post(f"{SYNC_PATH}?minutes=3&externalId=x", json=world.entry(), headers=world.headers)
    assert (response.status_code, response.json()["minutes"]) == (201, 150)
