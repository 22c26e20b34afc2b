"""`align demo`: data to try the API with, and a server that shows what it does."""

import json
import os
import shlex
from typing import Annotated, Any

import msgspec
import typer

from align.cli import output, serve
from align.cli.database import opened, transact
from align.cli.options import AsJson, DataDir
from align.demo import data, example
from align.demo.data import Demo
from align.demo.example import Answer
from align.settings import Settings, load

# The headers of an answer that say something about Align, by the beginnings of their names.
SHOWN_HEADERS = ("location", "content-differs", "idempotent", "ignored-fields", "retry-after", "x-r")
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - listened on elsewhere; here it is turned into an address to call


def demo(
    unlimited: Annotated[bool, typer.Option("--unlimited", help="Mint keys without a rate limit.")] = False,
    run_server: Annotated[
        bool, typer.Option("--serve", help="Also start the server, sync the example twice, and keep serving.")
    ] = False,
    host: serve.Host = None,
    port: serve.Port = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Create the demo's data, or bring it back to what it was, and mint fresh keys for it.

    The ids are the same everywhere and every time; keys of earlier runs stay valid.
    """
    settings = load(os.environ, host=host, port=port, data_dir=data_dir)
    limit = None if unlimited else settings.rate_limit_per_minute
    with opened(settings) as url:
        prepared = transact(settings, url, lambda tx: data.prepare(tx, rate_limit_per_minute=limit))
        if run_server:
            serve.start(settings, lambda base_url: _show_at_work(base_url, prepared, as_json=as_json))
        elif as_json:
            output.show_json(prepared)
        else:
            _show(settings, prepared)


def _show(settings: Settings, prepared: Demo) -> None:
    host = "127.0.0.1" if settings.host in EVERYWHERE else settings.host
    start = "align serve"
    if settings.database_url is None:
        start += f" --data-dir {shlex.quote(str(settings.data_dir))}"
    output.show_fields(_flattened(msgspec.to_builtins(prepared)))
    _show_command("Start the server, unless it is running:", start)
    base_url = f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"
    _show_command("Then sync a time entry, as often as you like:", example.curl(base_url, prepared))


def _show_at_work(base_url: str, prepared: Demo, *, as_json: bool) -> None:
    if as_json:  # one line, once the server answers: a script can wait for it
        output.show_json({**msgspec.to_builtins(prepared), "baseUrl": base_url})
        return
    try:
        _show_request(base_url, prepared)
        first = _show_answer("The first answer", base_url, prepared)
        second = _show_answer("The same request again", base_url, prepared)
        _say(_verdict(first, second), style="bold")
    except example.NoAnswer as error:
        _say(f"\nThe example could not be synced: {error}", style="bold red")
    _show_command("Do it yourself:", example.curl(base_url, prepared))
    _say(f"\nDocumentation: {base_url}/docs\n\nPress Ctrl-C to stop.")


def _show_request(base_url: str, prepared: Demo) -> None:
    _say(f"\nPOST {base_url}{example.PATH}", style="bold cyan")
    _say(f"Authorization: Bearer {prepared.organization_key}\nContent-Type: application/json\n")
    _show_document(example.body(prepared))


def _show_answer(title: str, base_url: str, prepared: Demo) -> Answer:
    answer = example.sync(base_url, prepared)
    _say(
        f"\n{title}: {answer.status} {answer.reason}",
        style="bold green" if answer.status < 300 else "bold red",
    )
    for name, value in answer.headers:
        if name.lower().startswith(SHOWN_HEADERS):
            _say(f"{name}: {value}")
    _say("")
    _show_document(answer.document)
    return answer


def _verdict(first: Answer, second: Answer) -> str:
    same = _id_of(first) == _id_of(second) is not None
    statuses = (first.status, second.status)
    if same and statuses == (201, 200):
        return "\nThe first call stored the time entry (201); the repeat got the same one back (200, same id)."
    if same and statuses == (200, 200):
        return (
            "\nAn earlier run stored this time entry, so both calls got the same one back (200, same id)."
            "\nNothing was stored twice. To begin anew, delete the data directory."
        )
    return f"\nThis is not as it should be: answers {first.status} and {second.status}."


def _id_of(answer: Answer) -> object:
    return answer.document.get("id") if isinstance(answer.document, dict) else None


def _flattened(members: dict[str, Any]) -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, value in members.items():
        if isinstance(value, dict):
            flat.update({f"{name}.{inner}": member for inner, member in value.items()})
        else:
            flat[name] = value
    return flat


def _show_command(title: str, command: str) -> None:
    _say(f"\n{title}\n")
    _say(command, style="cyan")


def _show_document(document: object) -> None:
    output.console().print_json(json.dumps(document), ensure_ascii=False)


def _say(text: str, style: str | None = None) -> None:
    # Soft wrapping leaves long lines to the terminal, so that they can be copied in one piece.
    output.console().print(text, style=style, soft_wrap=True)
