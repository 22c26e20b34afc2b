"""What the tests read out of the documentation: fenced blocks with their markers, tables, headings, links.

A marker is an HTML comment on the line before the fence:

    <!-- run -->                 the block is run; `<!-- run, exit 1 -->` when it must fail
    <!-- answer -->              what the block before it prints
    <!-- answer, NAME=regex -->  the same, and what the regex's group finds becomes a variable for the blocks after it
    <!-- file NAME -->           is written into the reader's directory under this name, for the blocks after it
    <!-- not run: reason -->     none of these
"""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])

_BLOCK = re.compile(
    r"^(?:<!-- (?P<marker>.+?) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
_FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")


class Block(NamedTuple):
    """A fenced block; `marker` is empty where none stands before it."""

    marker: str
    language: str
    text: str
    line: int


def blocks(path: Path) -> list[Block]:
    text = path.read_text("utf-8")
    return [
        Block(found["marker"] or "", found["language"], found["text"], text.count("\n", 0, found.start("text")))
        for found in _BLOCK.finditer(text)
    ]


def prose(path: Path) -> str:
    """The text without fenced blocks."""
    return _FENCED.sub("", path.read_text("utf-8"))


def section(path: Path, heading: str) -> str:
    """What stands under a heading, up to the next one of its level or above."""
    level = heading.split(" ")[0]
    lines = path.read_text("utf-8").splitlines()
    start = lines.index(heading) + 1
    fenced, taken = False, []
    for line in lines[start:]:
        fenced ^= line.startswith("```")
        if not fenced and re.match(rf"#{{1,{len(level)}}} ", line):
            break
        taken.append(line)
    return "\n".join(taken)


def headings(path: Path) -> list[str]:
    return re.findall(r"^#{1,6} .+$", prose(path), re.MULTILINE)


def anchors(path: Path) -> set[str]:
    """The names that links can end with, as the common renderers make them of headings."""
    texts = (heading.lstrip("#").strip().lower() for heading in headings(path))
    return {re.sub(r"[^\w\- ]", "", text).replace(" ", "-") for text in texts}


def table(text: str) -> list[list[str]]:
    """The cells of the first table in the text, without its head; code marks are taken off."""
    rows = []
    for line in text.splitlines():
        if line.startswith("|"):
            rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
        elif rows:
            break
    assert len(rows) > 2, "there is no table"
    return [[re.sub(r"^`(.*)`$", r"\1", cell) for cell in row] for row in rows[2:]]


def links(path: Path) -> list[str]:
    return _LINK.findall(prose(path))
