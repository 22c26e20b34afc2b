"""Holds every answer of the API against the OpenAPI document: status, code, members, headers, types."""

import json
import re
from typing import Any
from urllib.parse import quote

import httpx
import jsonschema_rs

# Headers that belong to the meaning of an answer; the rest is HTTP's own.
MEANINGFUL_HEADERS = re.compile(
    r"x-request-id|x-ratelimit-.*|retry-after|www-authenticate|location|content-differs|ignored-fields|idempotent-.*"
    r"|idempotency-.*|etag"
)


class Documented:
    """The document, as the law for answers."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self._operations = [
            (re.compile(re.sub(r"\{\w+\}", "[^/]+", path).replace("/api/v1/int", "(/api/v1)?/int")), path, item)
            for path, item in document["paths"].items()
        ]
        self._validators: dict[tuple[str, str, str], jsonschema_rs.Draft202012Validator] = {}

    def check(self, response: httpx.Response) -> None:
        """Fail unless the document promises exactly such an answer. Answers outside its operations only need an id."""
        assert response.headers["x-request-id"], "an answer without X-Request-Id"
        found = self._operation(response.request)
        if found is None:
            return
        path, method, operation = found
        status = str(response.status_code)
        assert status in operation["responses"], f"{method} {path} does not document {status}: {response.text}"
        documented = operation["responses"][status]
        self._check_headers(response, documented)
        if response.status_code in (204, 304):
            assert response.content == b""
            assert not {"content-type", "content-length"} & set(response.headers)
            return
        media_type = response.headers["content-type"].partition(";")[0]
        assert media_type in documented["content"]
        if media_type != "application/json":
            return
        body = json.loads(response.content)
        self._validator(path, method, status).validate(body)
        unknown = set(body) - self._members(documented, body)
        assert not unknown, f"{method} {path} {status} does not document the members {unknown}"

    def _operation(self, request: httpx.Request) -> tuple[str, str, dict[str, Any]] | None:
        for pattern, path, item in self._operations:
            if pattern.fullmatch(request.url.path) and request.method.lower() in item:
                return path, request.method.lower(), item[request.method.lower()]
        return None

    @staticmethod
    def _check_headers(response: httpx.Response, documented: dict[str, Any]) -> None:
        sent = {name for name in response.headers if MEANINGFUL_HEADERS.fullmatch(name)}
        unknown = sent - {name.lower() for name in documented["headers"]}
        assert not unknown, (
            f"{response.request.url.path} {response.status_code} does not document the headers {unknown}"
        )

    def _validator(self, path: str, method: str, status: str) -> jsonschema_rs.Draft202012Validator:
        key = (path, method, status)
        if key not in self._validators:
            pointer = quote(path.replace("~", "~0").replace("/", "~1"))
            reference = f"#/paths/{pointer}/{method}/responses/{status}/content/application~1json/schema"
            schema = {"$ref": reference, "paths": self._document["paths"], "components": self._document["components"]}
            self._validators[key] = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
        return self._validators[key]

    def _members(self, documented: dict[str, Any], body: dict[str, Any]) -> set[str]:
        schema = documented["content"]["application/json"]["schema"]
        if "oneOf" not in schema:
            return set(self._resolve(schema)["properties"])
        own = next(each for each in schema["oneOf"] if each["properties"]["error"]["const"] == body["error"])
        return {*own["properties"], *self._resolve(own["allOf"][0])["properties"]}

    def _resolve(self, schema: dict[str, Any]) -> dict[str, Any]:
        return self._document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
