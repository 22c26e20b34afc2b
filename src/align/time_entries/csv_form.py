"""CSV as the second form of an answer: who asked for it, and how it is sent, however long it is."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator

from align.access.calls import Call
from align.errors import Problem, invalid
from align.web.http import Request, StreamedAnswer
from align.web.operation import Header

MEDIA_TYPE = "text/csv"
CONTENT_TYPE = "text/csv; charset=utf-8; header=present"
HEADERS = (
    Header("Vary", "`Accept`: the answer has two forms."),
    Header("Content-Disposition", "Of CSV: an attachment, with the name of a file."),
)

# Parameters that cut a list into parts; CSV is the whole list.
_PARTS = ("page", "pageSize", "cursor")
_FORMULA = re.compile(r"[=+@\t\r\n'-]")
_QUALITY = re.compile(r"q=([01](?:\.[0-9]{0,3})?)", re.IGNORECASE)


def is_asked_for(call: Call) -> bool:
    """Whether the request prefers CSV to JSON. Raises ApiError 400 for CSV of a part of a list.

    Says in the answer that it depends on Accept. Whatever else is asked for is answered in JSON.
    """
    request = call.request
    request.answer_headers["Vary"] = "Accept"
    if not prefers_csv(", ".join(request.header_values(b"accept"))):
        return False
    sent = {name for name, _ in request.query_pairs()}
    if problems := [
        Problem(name, "not_with_csv", "does not go with CSV, which is the whole list")
        for name in _PARTS
        if name in sent
    ]:
        raise invalid(problems)
    return True


def prefers_csv(accept: str) -> bool:
    """Whether a value of Accept (RFC 9110, section 12.5.1) ranks CSV above JSON; a tie of two named types is JSON."""
    return _rank(accept, "text/csv") > max(_rank(accept, "application/json"), (0.0, 3))


def _rank(accept: str, media_type: str) -> tuple[float, int]:
    """The quality of a media type, and how exactly it is named: by itself, as `text/*`, as `*/*`, not at all."""
    ranges = {media_type: 3, media_type.split("/")[0] + "/*": 2, "*/*": 1}
    found = (0.0, 0)
    for item in accept.split(","):
        name, *parameters = (part.strip().lower() for part in item.split(";"))
        if ranges.get(name, 0) > found[1]:
            qualities = [matched[1] for text in parameters if (matched := _QUALITY.fullmatch(text))]
            found = (float(qualities[0]) if qualities else 1.0, ranges[name])
    return found


def text(value: str | None) -> str:
    """A text as a cell: quoted, and never a formula to a spreadsheet. Nothing where there is none."""
    if value is None:
        return ""
    guard = "'" if _FORMULA.match(value) else ""
    return '"' + guard + value.replace('"', '""') + '"'


async def answer(request: Request, name: str, parts: AsyncIterator[bytes]) -> StreamedAnswer:
    """An attachment; its first part is made before anything is sent, so that a failure there is answered as one."""
    first = await anext(parts)
    streamed = StreamedAnswer(200, _sent(request, first, parts), CONTENT_TYPE)
    streamed.headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return streamed


async def _sent(request: Request, first: bytes, parts: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """The parts, until the client goes. A failure between two of them ends the answer without its last chunk."""
    gone = asyncio.create_task(_until_gone(request))
    try:
        yield first
        async for part in parts:
            if gone.done():
                return
            yield part
    finally:
        gone.cancel()


async def _until_gone(request: Request) -> None:
    if request.receive is not None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
