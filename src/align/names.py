"""The rules for text that people type to name things, and for looking things up by it."""

import unicodedata
from collections.abc import Sequence
from typing import Annotated, Protocol, TypeVar
from uuid import UUID

from msgspec import Meta

from align.refusals import Ambiguous, NotFound, Refused

MAXIMUM_LENGTH = 200
# Control characters, lone surrogates, line and paragraph separators: they break terminals, logs and JSON.
# Format characters stay allowed, since emoji and several scripts are written with joiners.
_REFUSED_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})

# As `name_problem` has it, but for the rare text that is invisible without being white space.
_UNPRINTABLE = r"\u0000-\u001f\u007f-\u009f\u2028\u2029"
_WHITE_SPACE = r"\u0020\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
PATTERN = f"^[^{_UNPRINTABLE}]*[^{_UNPRINTABLE}{_WHITE_SPACE}][^{_UNPRINTABLE}]*$"

# A name in a request; `name_problem` is its check.
Name = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAXIMUM_LENGTH,
        description="One line of plain text with at least one visible character.",
        extra_json_schema={"pattern": PATTERN},
    ),
]


class _HasId(Protocol):
    @property
    def id(self) -> UUID: ...


T = TypeVar("T", bound=_HasId)


def checked(field: str, text: str, maximum_length: int = MAXIMUM_LENGTH) -> str:
    """`text` without surrounding white space; raises Refused when it can't be stored as the name `field`."""
    text = text.strip(" \t")
    if any(unicodedata.category(character) in _REFUSED_CATEGORIES for character in text):
        raise Refused(field, f"{field} holds a control character; write it as one line of plain text")
    if not any(character.isprintable() and not character.isspace() for character in text):
        raise Refused(field, f"{field} is blank; it needs at least one visible character")
    if len(text) > maximum_length:
        raise Refused(field, f"{field} has {len(text)} characters; at most {maximum_length} are allowed")
    return text


def name_problem(value: str, _raw: bytes = b"") -> tuple[str, str] | None:
    """(code, message) when `value`, which is not too long, can't be a name."""
    if any(unicodedata.category(character) in _REFUSED_CATEGORIES for character in value):
        return "control_character", "must be one line of plain text, without control characters"
    if not any(character.isprintable() and not character.isspace() for character in value):
        return "blank", "must have at least one visible character"
    return None


def parse_id(text: str) -> UUID | None:
    """The UUID that `text` writes, or None."""
    try:
        return UUID(text)
    except ValueError:
        return None


def only(field: str, noun: str, text: str, found: Sequence[T]) -> T:
    """The one thing `found` for `text`; raises NotFound for none and Ambiguous for several."""
    if not found:
        raise NotFound(field, f"no {noun} is called '{text}'")
    if len(found) > 1:
        ids = ", ".join(str(thing.id) for thing in found)
        raise Ambiguous(field, f"more than one {noun} is called '{text}'; use an id: {ids}")
    return found[0]
