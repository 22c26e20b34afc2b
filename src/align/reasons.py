"""The reasons that people give for what they take back: kept with the thing and in its event."""

import re
from typing import Annotated

from msgspec import Meta

MAXIMUM_LENGTH = 1000

# Any text without U+0000 that holds more than white space and control characters.
_VISIBLE = r"[^\u0000-\u0020\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
PATTERN = rf"^[^\u0000]*{_VISIBLE}[^\u0000]*$"
_SOMETHING = re.compile(_VISIBLE)

Reason = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAXIMUM_LENGTH,
        description="Why; more than white space.",
        examples=["The ticket is missing."],
        extra_json_schema={"pattern": PATTERN},
    ),
]


def reason_problem(value: str, _raw: bytes = b"") -> tuple[str, str] | None:
    """(code, message) when `value` says nothing."""
    return None if _SOMETHING.search(value) else ("blank", "must hold more than white space")
