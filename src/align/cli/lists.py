"""A sender's list in a file, as the lines that the API takes."""

import csv
import json
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import IO

import typer

_DELIMITERS = ",;\t"
_BOOLEANS = {"true": True, "false": False}
_REQUIRED = ("externalId", "workDate", "minutes")
_BYTE_ORDER_MARK = "\ufeff"


def lines(source: IO[bytes]) -> Iterator[bytes]:
    """The lines of NDJSON as they are, or of the rows of CSV; which of them it is, the first sign tells.

    Raises BadParameter when it can be neither.
    """
    first = next((line for line in source if line.strip()), b"")
    if first.lstrip(b"\xef\xbb\xbf").lstrip().startswith(b"{"):
        for line in chain([first.removeprefix(b"\xef\xbb\xbf")], source):
            yield line.rstrip(b"\r\n") + b"\n"
    elif first:
        yield from _of_csv(chain([first], source))


def _of_csv(source: Iterable[bytes]) -> Iterator[bytes]:
    text = _decoded(source)
    head = next(text).removeprefix(_BYTE_ORDER_MARK)
    delimiter = max(_DELIMITERS, key=head.count)
    rows = csv.reader(chain([head], text), delimiter=delimiter, strict=True)
    try:
        names = [name.strip() for name in next(rows)]
        if missing := [name for name in _REQUIRED if name not in names]:
            raise _unfit(f"the first row names no column {', '.join(missing)}")
        for row in rows:
            if row:
                yield _line(names, row, rows.line_num)
    except csv.Error as error:
        raise _unfit(f"line {rows.line_num} is not CSV: {error}") from None


def _line(names: list[str], row: list[str], number: int) -> bytes:
    """An empty cell is left out: what is not said is not compared."""
    if len(row) != len(names):
        raise _unfit(f"line {number} has {len(row)} cells; the first row has {len(names)}")
    members = {name: _value(name, cell) for name, cell in zip(names, row, strict=True) if cell != ""}
    return json.dumps(members).encode() + b"\n"


def _value(name: str, cell: str) -> object:
    if name == "minutes" and cell.strip().isdecimal():
        return int(cell)
    return _BOOLEANS.get(cell.strip().lower(), cell) if name == "billable" else cell


def _decoded(source: Iterable[bytes]) -> Iterator[str]:
    for number, line in enumerate(source, 1):
        try:
            yield line.decode()
        except UnicodeDecodeError:
            raise _unfit(f"line {number} is not UTF-8") from None


def _unfit(message: str) -> typer.BadParameter:
    return typer.BadParameter(message, param_hint="FILE")
