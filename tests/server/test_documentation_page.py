"""`/docs` works without any other host: everything comes from this server, and the browser is told so."""

import re
from html.parser import HTMLParser

import pytest

LOADING = {"src", "href", "srcset", "data", "poster", "action", "formaction"}


class Page(HTMLParser):
    """What a page loads, and the scripts written into it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: set[str] = set()
        self.inline = ""
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self._inside = tag
        for name, value in attributes:
            assert not name.startswith("on")
            if name in LOADING:
                self.loaded.add(value or "")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside in ("script", "style"):
            self.inline += data.strip()


async def test_the_page_loads_only_what_this_server_has(client):
    answer = await client.get("/docs")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    page = Page(answer.text)
    assert page.inline == ""
    assert len(page.loaded) >= 4
    for path in page.loaded:
        assert re.match(r"/[^/]", path), path
        assert (await client.get(path)).status_code == 200


async def test_the_browser_is_told_to_load_nothing_else(client):
    headers = (await client.get("/docs")).headers
    policy = dict(rule.strip().split(" ", 1) for rule in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    sources = {source for rule in policy.values() for source in rule.split()}
    assert sources <= {"'none'", "'self'", "'unsafe-inline'", "data:"}
    assert policy["script-src"] == "'self'"
    assert policy["connect-src"] == "'self'"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"


async def test_the_script_shows_this_servers_document_and_asks_no_validator(client):
    script = await client.get("/docs/start.js")
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    (url,) = re.findall(r'url: "(.*?)"', script.text)
    assert (await client.get(url)).json()["openapi"].startswith("3.1")
    assert "validatorUrl: null" in script.text
    assert "://" not in script.text


async def test_the_style_sheet_loads_nothing(client):
    answer = await client.get("/docs/assets/swagger-ui.css")
    assert answer.headers["content-type"].startswith("text/css")
    assert {url[:5] for url in re.findall(r"url\(['\"]?([^)'\"]*)", answer.text)} <= {"data:"}
    assert "@import" not in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/docs/assets/nothing.js",
        "/docs/assets/",
        "/docs/assets/../../start.js",
        "/docs/assets/%2e%2e/%2e%2e/__init__.py",
    ],
)
async def test_nothing_but_the_assets_is_served(client, path):
    request = client.build_request("GET", "/")
    request.url = request.url.copy_with(raw_path=path.encode())
    answer = await client.send(request)
    assert (answer.status_code, answer.json()["error"]) == (404, "not_found")
