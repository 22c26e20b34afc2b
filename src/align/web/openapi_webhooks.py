"""The section `webhooks` of the OpenAPI document: what is posted to receivers, one path item for each event."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from align.web.operation import Header


class Delivered(msgspec.Struct, frozen=True):
    """One kind of delivery: its name, when it is sent, the struct of its body, and an example."""

    name: str
    description: str
    body: type[msgspec.Struct]
    example: Mapping[str, object]


def path_item(delivered: Delivered, headers: Sequence[Header], reference: str) -> dict[str, Any]:
    """What is posted, and what the receiver's answer means; `reference` is where the body's schema is."""
    return {
        "post": {
            "tags": ["Webhooks"],
            "summary": delivered.name,
            "description": f"{delivered.description}\n\n{_DESCRIPTION}",
            "security": [],
            "parameters": [
                {
                    "name": header.name,
                    "in": "header",
                    "required": True,
                    "description": header.description,
                    "schema": dict(header.schema),
                }
                for header in headers
            ],
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {
                        "schema": {
                            "allOf": [{"$ref": reference}],
                            "properties": {"eventName": {"const": delivered.name}},
                        },
                        "example": dict(delivered.example),
                    }
                },
            },
            "responses": _RESPONSES,
        }
    }


_DESCRIPTION = (
    "Posted to every enabled webhook that asks for it, at least once. Verify the signature over the bytes as they "
    "arrive, before reading them; ignore what was delivered already, by `webhook-id`."
)
_RESPONSES = {
    "2XX": {"description": "It has arrived. The answer's body is not read further than 64 KiB."},
    "410": {"description": "The receiver wants nothing more: the webhook is disabled."},
    "429": {"description": "It is sent again, not before `Retry-After`; 503 likewise."},
    "default": {"description": "It is sent again, redirects included, for some three days in growing intervals."},
}
