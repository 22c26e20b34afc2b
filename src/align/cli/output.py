"""What commands print: tables for people, one JSON value for programs."""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

if TYPE_CHECKING:
    from rich.console import Console

T = TypeVar("T")
Columns = Mapping[str, Callable[[T], object]]

# Without a terminal nothing wraps: one row is one line, whatever reads it.
UNLIMITED_WIDTH = 10_000


def console() -> Console:
    """The console for stdout: text is printed as it is, without mark-up, and without colours into a pipe."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else UNLIMITED_WIDTH
    return Console(file=sys.stdout, width=width, markup=False, emoji=False, highlight=False)


def show_list(items: Sequence[T], columns: Columns[T], *, as_json: bool, nothing: str) -> None:
    """Print a table with a row for each item, or a JSON array; `nothing` stands for an empty table."""
    from rich import box
    from rich.table import Table

    if as_json:
        return show_json(items)
    if not items:
        return print(nothing)
    out = console()
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    rows = [[cell(value(item)) for value in columns.values()] for item in items]
    for name in columns:
        table.add_column(name, overflow="fold")
    # The first column holds what the commands take as argument: it stays in one piece where there is room.
    table.columns[0].no_wrap = 2 * max(len(row[0]) for row in rows) <= out.width
    for row in rows:
        table.add_row(*row)
    return out.print(table)


def show_one(item: T, columns: Columns[T], *, as_json: bool) -> None:
    """Print one item as lines of name and value, or as a JSON object."""
    if as_json:
        return show_json(item)
    return show_fields({name: value(item) for name, value in columns.items()})


def show_fields(fields: Mapping[str, object]) -> None:
    """Print lines of name and value."""
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in fields.items():
        table.add_row(name, cell(value))
    console().print(table)


def show_json(value: Any) -> None:
    """Print one JSON value in UTF-8: indented on a terminal, else one line."""
    encoded = msgspec.json.encode(value)
    if sys.stdout.isatty():
        encoded = msgspec.json.format(encoded, indent=2)
    sys.stdout.flush()
    sys.stdout.buffer.write(encoded + b"\n")
    sys.stdout.buffer.flush()


def cell(value: object) -> str:
    """How a value stands in a table; control characters, which could steer the terminal, are replaced."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}Z"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "-"
    return "".join("\ufffd" if unicodedata.category(sign) == "Cc" else sign for sign in str(value))


def give_up_stdout() -> None:
    """Keep Python from complaining at its exit that whoever read stdout has left."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
