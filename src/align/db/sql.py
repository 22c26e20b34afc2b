"""Loads named queries from `.sql` files that lie beside the code that runs them."""

import re
from functools import cache
from pathlib import Path

_NAME = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)


class Queries:
    """The queries of one file, as attributes: `queries.find_key` is the text under `-- name: find_key`."""

    def __init__(self, texts: dict[str, str]) -> None:
        self._texts = texts

    def __getattr__(self, name: str) -> str:
        try:
            return self._texts[name]
        except KeyError:
            raise AttributeError(f"no query is named {name}") from None

    def items(self) -> list[tuple[str, str]]:
        """All (name, SQL text) pairs in the order of the file."""
        return list(self._texts.items())


@cache
def load(path: Path) -> Queries:
    """Read the queries of a file.

    `{{ name }}` inside a query is replaced by the file `name.sql` of the same folder (`{{ ../package/name }}`: of
    another), so that an expression which several queries share (the wire form of a time entry) is written once.
    """
    parts = _NAME.split(path.read_text(encoding="utf-8"))
    names, bodies = parts[1::2], parts[2::2]
    return Queries({name: _fill_in(body.strip(), path.parent) for name, body in zip(names, bodies, strict=True)})


def _fill_in(text: str, folder: Path) -> str:
    return re.sub(r"\{\{ ([\w./]+) \}\}", lambda match: (folder / f"{match[1]}.sql").read_text("utf-8").strip(), text)
