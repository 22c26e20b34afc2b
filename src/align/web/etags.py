"""Entity tags and the conditions that requests make of them (RFC 9110, sections 8.8.3 and 13.1)."""

import re

import msgspec

from align.errors import ApiError, Problem, invalid
from align.web.http import Answer, Request
from align.web.operation import Header

ETAG = Header("ETag", "The object's version, in quotes: for `If-Match` of a change and `If-None-Match` of a read.")

# Commas may stand inside a tag, so a list is matched from tag to tag, not split. Empty members are allowed (5.6.1).
_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_LIST = re.compile(rf"[ \t,]*{_TAG}(?:[ \t]*,[ \t,]*{_TAG})*[ \t,]*")
_EACH = re.compile(_TAG)
# For the documentation: what is sent as ASCII, one line.
_SCHEMA = {"type": "string", "pattern": r'^(\*|(W/)?"[!#-~]*"( ?, ?(W/)?"[!#-~]*")*)$'}

IF_MATCH = Header(
    "If-Match",
    "Do it only if the object's ETag is one of these (a list), or it exists at all (`*`); otherwise 412. "
    "A weak tag (`W/...`) never matches.",
    _SCHEMA,
)
IF_NONE_MATCH = Header(
    "If-None-Match", "Answer 304 without a body if the object's ETag is one of these (a list), or `*`.", _SCHEMA
)


class Tags(msgspec.Struct, frozen=True):
    """The tags that a condition names; `any` is `*`, which every existing object fulfils."""

    any: bool
    tags: frozenset[str] = frozenset()

    def match_strongly(self, tag: str) -> bool:
        """Whether `tag` is named, byte for byte; weak tags never match (for If-Match)."""
        return self.any or (tag in self.tags and not tag.startswith("W/"))

    def match_weakly(self, tag: str) -> bool:
        """Whether `tag` is named, weak or not (for If-None-Match)."""
        return self.any or tag.removeprefix("W/") in {each.removeprefix("W/") for each in self.tags}


def of_version(version: int) -> str:
    """The strong entity tag of an object's version."""
    return f'"{version}"'


def if_match(request: Request) -> Tags | None:
    """What If-Match says, or None without it. Raises ApiError 400 for what is no list of entity tags."""
    return _read(request, "If-Match")


def if_none_match(request: Request) -> Tags | None:
    """What If-None-Match says, or None without it. Raises ApiError 400 for what is no list of entity tags."""
    return _read(request, "If-None-Match")


def check_match(condition: Tags | None, version: int, noun: str) -> None:
    """Raises ApiError 412 when the object is no longer what If-Match says."""
    if condition is not None and not condition.match_strongly(of_version(version)):
        raise ApiError(
            "precondition_failed",
            f"the {noun} has changed since the ETag in If-Match was read; read it again and decide anew",
        )


def is_unchanged(condition: Tags | None, version: int) -> bool:
    """Whether a read with this If-None-Match is answered 304."""
    return condition is not None and condition.match_weakly(of_version(version))


def with_etag(answer: Answer, version: int) -> Answer:
    """The answer, with the object's ETag."""
    answer.headers = {**(answer.headers or {}), "ETag": of_version(version)}
    return answer


def _read(request: Request, name: str) -> Tags | None:
    lines = request.header_values(name.lower().encode())
    if not lines:
        return None
    text = ", ".join(lines)
    if text.strip(" \t") == "*":
        return Tags(any=True)
    if not _LIST.fullmatch(text):
        message = 'must be *, or entity tags in their quotes, as in the header ETag: "3"'
        raise invalid([Problem(name, "invalid_etag", message)])
    return Tags(any=False, tags=frozenset(_EACH.findall(text)))
