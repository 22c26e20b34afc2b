"""`align reconcile`: a sender's own list against what a server stores."""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import date
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode, urlsplit

import typer

from align.cli import output
from align.cli.failures import Trouble
from align.cli.lists import lines
from align.cli.options import AsJson
from align.settings import Settings, load

if TYPE_CHECKING:
    from rich.progress import Progress

PATH = "/api/v1/integration/reconcile"
NDJSON = "application/x-ndjson"
DIFFERENT = 1
# The server answers when it has compared all, which takes seconds.
PATIENCE_SECONDS = 120
LINES_PER_PART = 500


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """The key is for the server that was named."""

    def redirect_request(self, *_: object) -> None:
        """Nothing is asked instead."""
        return


_OPENER = urllib.request.build_opener(_NoRedirects)

COLUMNS: output.Columns[dict[str, Any]] = {
    "external id": lambda it: it.get("externalId"),
    "line": lambda it: it.get("line"),
    "difference": lambda it: it["kind"],
    "what": lambda it: _what(it),
}

System = Annotated[str, typer.Option(metavar="NAME", help="The externalSystem under which the list was synced.")]
File = Annotated[
    str,
    typer.Argument(
        metavar="FILE", help="The list: CSV with a row of names, or NDJSON; - for standard input.", show_default=False
    ),
]
FirstDay = Annotated[str, typer.Option("--from", metavar="DATE", help="First day, YYYY-MM-DD.")]
LastDay = Annotated[str, typer.Option("--to", metavar="DATE", help="Last day, itself included.")]
Url = Annotated[
    str | None, typer.Option(metavar="URL", help="The server. Default: the one of ALIGN_HOST and ALIGN_PORT here.")
]


def reconcile(
    file: File, system: System, from_: FirstDay, to: LastDay, url: Url = None, as_json: AsJson = False
) -> None:
    """Compare a list of time entries with what a server stores, and show what differs.

    The key comes from ALIGN_API_KEY. Exit codes, as of diff: 0 equal, 1 different, 2 not compared.
    """
    settings = load(os.environ)
    if settings.api_key is None:
        raise typer.BadParameter("it is not set; it holds an organisation's key", param_hint="ALIGN_API_KEY")
    query = {"externalSystem": system, "startDate": _day("--from", from_), "endDate": _day("--to", to)}
    address = f"{_server(url, settings)}{PATH}?{urlencode(query)}"
    with _opened(file) as source:
        *found, summary = _posted(address, settings.api_key, source)
    counts = {name: count for name, count in summary.items() if name != "kind"}
    if as_json:
        output.show_json({"differences": found, "summary": counts})
    else:
        output.show_list(found, COLUMNS, as_json=False, nothing="No differences.")
        print(f"\n{', '.join(f'{count} {name}' for name, count in counts.items())}")
    if found:
        raise typer.Exit(DIFFERENT)


def _posted(address: str, key: str, source: IO[bytes]) -> list[dict[str, Any]]:
    """The lines of the answer. Raises Trouble when there is none, or not all of it."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": NDJSON}
    with _progress() as progress:
        sent = _counted(progress, lines(source), source)
        request = urllib.request.Request(address, sent, headers, method="POST")  # noqa: S310 - looked at in _server
        try:
            with _OPENER.open(request, timeout=PATIENCE_SECONDS) as response:
                answer = [json.loads(line) for line in response]
        except urllib.error.HTTPError as refused:
            raise _refusal(refused) from None
        except (OSError, urllib.error.URLError) as error:
            raise Trouble("unreachable", f"the server does not answer: {getattr(error, 'reason', error)}") from None
    if not answer or answer[-1]["kind"] != "summary":
        raise Trouble("cut_off", "the answer was cut off; try again")
    return answer


def _refusal(refused: urllib.error.HTTPError) -> Trouble:
    try:
        body = json.loads(refused.read())
        return Trouble(body["error"], f"{body['message']} ({refused.code} {body['error']})")
    except (ValueError, KeyError, TypeError):
        return Trouble("unreachable", f"what answers with {refused.code} is not an Align server")


def _counted(progress: Progress, texts: Iterator[bytes], source: IO[bytes]) -> Iterator[bytes]:
    """The lines, many at once, while a bar on the terminal shows how much of the file is sent."""
    task = progress.add_task("sending", total=os.fstat(source.fileno()).st_size or None)
    count = 0
    while part := list(islice(texts, LINES_PER_PART)):
        count += len(part)
        yield b"".join(part)
        progress.update(task, completed=source.tell() if source.seekable() else None)
    progress.update(task, description=f"comparing {count} entries", total=None)


def _progress() -> Progress:
    from rich.console import Console
    from rich.progress import Progress

    return Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())


def _opened(name: str) -> IO[bytes]:
    if name == "-":
        return sys.stdin.buffer
    try:
        return Path(name).open("rb")
    except OSError as error:
        raise typer.BadParameter(f"{name}: {error.strerror}", param_hint="FILE") from None


def _day(option: str, text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise typer.BadParameter(f"'{text}' is not a day, such as 2025-01-31", param_hint=option) from None


def _server(url: str | None, settings: Settings) -> str:
    if url is None:
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        return f"http://{host}:{settings.port}"
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise typer.BadParameter(f"'{url}' does not begin with http:// or https://", param_hint="--url")
    return url.rstrip("/")


def _what(difference: dict[str, Any]) -> str:
    match difference["kind"]:
        case "missing":
            return "was deleted on the server" if difference["deleted"] else "is not on the server"
        case "extra":
            entry = difference["entry"]
            return f"is not in the list: {entry['workDate']}, {entry['minutes']} minutes"
        case "duplicate":
            return f"repeats line {difference['firstLine']}"
        case "invalid":
            return str(difference["error"]["message"])
    return "; ".join(
        f"{name}: {_shown(sides['theirs'])} in the list, {_shown(sides['ours'])} on the server"
        for name, sides in difference["fields"].items()
    )


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    return str(value).lower() if isinstance(value, bool) else str(value)
