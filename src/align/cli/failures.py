"""What becomes of a failed command: one line (or one JSON object) on stderr, and an exit code."""

import sys

import msgspec
import typer

from align.refusals import NotFound, Refused
from align.settings import InvalidSettings

REFUSED = 1
USAGE = 2
DATABASE_UNUSABLE = 3

# Where to look for what a command named in vain.
_LISTS = {
    "organization": "align orgs list",
    "project": "align projects list ORG",
    "user": "align users list ORG",
    "key": "align keys list ORG",
}


class DatabaseUnusable(Exception):
    """The database can't be started, reached or migrated; the message says why."""


class Trouble(Exception):
    """What was to be compared could not be; as diff has it, that is another exit code than a difference."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def report(error: Exception, *, as_json: bool) -> int:
    """Tell the failure on stderr and return the exit code; raises `error` itself when the fault is ours."""
    code, exit_code = _classify(error)
    message = _message(error)
    if not message:
        return exit_code  # no arguments: the help was printed instead
    if as_json:
        # Text from the command line may hold undecodable bytes, which JSON can't.
        safe = message.encode("utf-8", "backslashreplace").decode()
        _write(msgspec.json.encode({"error": code, "message": safe}).decode())
    else:
        _write(f"Error: {message}")
        _write_usage(error)
    return exit_code


def _classify(error: Exception) -> tuple[str, int]:
    if isinstance(error, Refused):
        return error.code, REFUSED
    if isinstance(error, Trouble):
        return error.code, USAGE
    if isinstance(error, InvalidSettings):
        return "invalid_settings", USAGE
    if isinstance(error, DatabaseUnusable):
        return "database_unusable", DATABASE_UNUSABLE
    if isinstance(error, typer.TyperException):
        return "usage", error.exit_code
    raise error


def _message(error: Exception) -> str:
    if isinstance(error, typer.TyperException):
        text = error.format_message().replace(": Value error, ", ": ")  # Pydantic's way to begin
    else:
        text = str(error)
    if isinstance(error, NotFound) and error.field in _LISTS:
        text += f"; see: {_LISTS[error.field]}"
    return " ".join(text.split())


def _write_usage(error: Exception) -> None:
    context = getattr(error, "ctx", None)
    if isinstance(error, typer.TyperException) and context is not None:
        _write(f"See: {context.command_path} --help")


def _write(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
