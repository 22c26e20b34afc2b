"""Writes the OpenAPI 3.1 document from the table of operations and the structs that decode and describe them."""

from collections.abc import Iterable, Mapping, Sequence
from types import UnionType
from typing import Any, get_args

import msgspec

from align.errors import CATALOGUE
from align.web import openapi_webhooks
from align.web.error_members import EXAMPLES_OF_MEMBERS, MEMBERS_OF_CODE
from align.web.openapi_webhooks import Delivered
from align.web.operation import PREFIX, Header, Operation, Success

_REFERENCE = "#/components/schemas/{name}"
_REQUEST_ID = Header("X-Request-Id", "Id of this request in the server's logs.")
_RATE_LIMIT = (
    Header("X-RateLimit-Limit", "Requests a minute; absent when the key has no limit.", {"type": "integer"}),
    Header("X-RateLimit-Remaining", "Requests left in the sliding window.", {"type": "integer"}),
    Header("X-RateLimit-Reset", "Seconds until the window has more room.", {"type": "integer"}),
)
_RETRY_AFTER = Header("Retry-After", "Seconds to wait before the repeat.", {"type": "integer"})
_IGNORED = Header("Ignored-Fields", "Names of members of the request that the operation does not know.")
_REPLAYED = Header("Idempotent-Replayed", "`true` on a repeat answered from its Idempotency-Key.")
_MISMATCH = Header("Idempotency-Body-Mismatch", "`true` when the repeat's body differs from the first one's.")
_CLOSE = Header("Connection", "`close`: the rest of the body is not read.")
_HEADERS_OF_CODE = {
    **dict.fromkeys(
        ("key_missing", "key_invalid", "key_expired", "key_revoked"),
        (Header("WWW-Authenticate", "How to send a key (RFC 9110)."),),
    ),
    **dict.fromkeys(
        ("idempotency_in_progress", "rate_limit", "overloaded", "database_unavailable"),
        (_RETRY_AFTER,),
    ),
    **dict.fromkeys(("request_timeout", "payload_too_large"), (_CLOSE,)),
}
# Refusals before the rate limit is counted.
_BEFORE_RATE_LIMIT = (401, 408, 413)
_ERROR_SCHEMA = {
    "type": "object",
    "description": "Every refusal. Further members depend on the code.",
    "required": ["error", "message", "requestId"],
    "properties": {
        "error": {"type": "string", "description": "Machine code; stable."},
        "message": {"type": "string", "description": "For people; may change."},
        "requestId": {"type": "string"},
        "details": {
            "type": "array",
            "description": "Every problem found: all of them, not the first.",
            "items": {
                "type": "object",
                "required": ["path", "code", "message"],
                "properties": {
                    "path": {
                        "type": "string",
                        "description": "The member, parameter or header; empty: the whole body.",
                    },
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                },
            },
        },
    },
}


def document(
    operations: Sequence[Operation],
    version: str,
    deliveries: Sequence[Delivered] = (),
    delivery_headers: Sequence[Header] = (),
) -> dict[str, Any]:
    """The whole document as a JSON value; `deliveries` are what webhooks get."""
    types = {kind for operation in operations for kind in _types(operation)} | {each.body for each in deliveries}
    _, schemas = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.route, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Align",
            "version": version,
            "summary": "Hours worked anywhere arrive here exactly once, are approved, locked and invoiced.",
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "This server"}],
        "security": [{"bearer": []}, {"apiKey": []}],
        "tags": [{"name": tag} for tag in dict.fromkeys(operation.tag for operation in operations)],
        "paths": paths,
        "webhooks": {
            each.name: openapi_webhooks.path_item(each, delivery_headers, _REFERENCE.format(name=each.body.__name__))
            for each in deliveries
        },
        "components": {
            "schemas": {**dict(sorted(schemas.items())), "Error": _ERROR_SCHEMA},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "`Authorization: Bearer <key>`"},
                "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }


_DESCRIPTION = f"""\
All paths start with `{PREFIX}`; `/integration/*` answers without it too. Every answer carries `X-Request-Id`.

Repeating a call is always safe: a time entry is stored once per `externalSystem` and `externalId`, and a request with
an `Idempotency-Key` is answered with its first answer for 24 hours. Every refusal is a JSON object whose `error` is a
stable code. Members of a request that are not documented are ignored and named in the header `Ignored-Fields`; an
organisation in strict mode refuses them.
"""


def _types(operation: Operation) -> Iterable[type]:
    if operation.request is not None:
        yield operation.request
    for success in operation.successes:
        if success.type is not None:
            yield from get_args(success.type) or (success.type,)


def _operation(operation: Operation) -> dict[str, Any]:
    description = operation.description
    if operation.also_without_prefix:
        description += f"\n\nAlso answers under `{operation.path}`."
    result: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": description,
        "parameters": [_parameter(parameter) for parameter in operation.parameters]
        + [_header_parameter(header) for header in operation.request_headers],
        "responses": {**_successes(operation), **_errors(operation)},
    }
    if operation.request is not None:
        media: dict[str, Any] = {"schema": _reference(operation.request)}
        if operation.request_example is not None:
            media["example"] = operation.request_example
        result["requestBody"] = {
            "required": operation.request_required,
            "content": {operation.request_media_type: media},
        }
    return result


def _parameter(parameter: Any) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.required,
        "description": parameter.description,
        "schema": dict(parameter.schema),
    }


def _header_parameter(header: Header) -> dict[str, Any]:
    return {
        "name": header.name,
        "in": "header",
        "required": False,
        "description": header.description,
        "schema": dict(header.schema),
    }


def _successes(operation: Operation) -> dict[str, Any]:
    return {
        str(success.status): {
            "description": success.description,
            "headers": _headers((_REQUEST_ID, *_RATE_LIMIT, *_repeat_headers(operation), *success.headers)),
            **({} if success.type is None else {"content": _content(success, success.type)}),
        }
        for success in operation.successes
    }


def _content(success: Success, kind: type | UnionType) -> dict[str, Any]:
    return {
        success.media_type: {"schema": _reference(kind), "example": success.example},
        **{
            media_type: {"schema": {"type": "string"}, "example": example}
            for media_type, example in success.media_types.items()
        },
    }


def _repeat_headers(operation: Operation) -> tuple[Header, ...]:
    """What an answer carries when its request had an Idempotency-Key, and when it had unknown members."""
    ignored = () if operation.request is None else (_IGNORED,)
    takes_key = any(header.name == "Idempotency-Key" for header in operation.request_headers)
    return (*ignored, *((_REPLAYED, _MISMATCH) if takes_key else ()))


def _errors(operation: Operation) -> dict[str, Any]:
    codes: dict[int, list[str]] = {}
    for code in operation.errors:
        codes.setdefault(CATALOGUE[code].status, []).append(code)
    always = () if operation.request is None else (_IGNORED,)
    return {str(status): _error(status, names, always) for status, names in sorted(codes.items())}


def _error(status: int, codes: list[str], always: Sequence[Header]) -> dict[str, Any]:
    headers = [_REQUEST_ID]
    if status not in _BEFORE_RATE_LIMIT:
        headers += [*_RATE_LIMIT, *always]
    for code in codes:
        headers += _HEADERS_OF_CODE.get(code, ())
    return {
        "description": "\n".join(f"- `{code}`: {CATALOGUE[code].meaning}" for code in codes),
        "headers": _headers(headers),
        "content": {
            "application/json": {
                "schema": {"oneOf": [_error_schema(code) for code in codes]},
                "examples": {code: {"value": _error_example(code)} for code in codes},
            }
        },
    }


def _error_schema(code: str) -> dict[str, Any]:
    members = MEMBERS_OF_CODE.get(code, {})
    return {
        "title": code,
        "allOf": [{"$ref": _REFERENCE.format(name="Error")}],
        "properties": {"error": {"const": code}, **members},
        "required": ["error", *members],
    }


def _error_example(code: str) -> Mapping[str, object]:
    example: dict[str, object] = {
        "error": code,
        "message": CATALOGUE[code].meaning,
        "requestId": "019aafe2-5a1c-7c3e-8f6d-2b1f0c9d8e7a",
    }
    if code == "validation_error":
        message = "must be an integer from 1 to 1440"
        example["message"] = f"minutes: {message}"
        example["details"] = [{"path": "minutes", "code": "out_of_range", "message": message}]
    return example | EXAMPLES_OF_MEMBERS.get(code, {})


def _headers(headers: Iterable[Header]) -> dict[str, Any]:
    return {header.name: {"description": header.description, "schema": dict(header.schema)} for header in headers}


def _reference(kind: type | UnionType) -> dict[str, Any]:
    if isinstance(kind, UnionType):
        return {"oneOf": [_reference(one) for one in get_args(kind)]}
    return {"$ref": _REFERENCE.format(name=kind.__name__)}
