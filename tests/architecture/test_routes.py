"""Every route of the running application is documented, or is a page."""

import httpx

from align.settings import Settings
from tests.conftest import RunningServer

# Outside the API, so outside its document.
PAGES = {"/livez", "/readyz", "/metrics", "/api/v1/openapi.json", "/docs", "/docs/start.js", "/docs/assets"}


async def test_every_route_is_documented_or_a_page(database_url, data_dir):
    server = RunningServer(database_url, Settings(data_dir=data_dir))
    with server as url:
        async with httpx.AsyncClient(base_url=url) as client:
            document = (await client.get("/api/v1/openapi.json")).json()
        routes = {route.path for route in server.application._application._router.routes}
    documented = set(document["paths"])
    unprefixed = {path.removeprefix("/api/v1") for path in documented if "/integration/" in path}
    assert routes == documented | unprefixed | PAGES
