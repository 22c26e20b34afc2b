"""Keeps results, and writes the newest full ones into the documentation.

`python -m bench.report [RESULTS.json]` writes docs/performance.md anew from the newest full run, or the given one.
"""

import sys
from pathlib import Path

import msgspec

from bench.samples import Run
from bench.views import View, goals, views

RESULTS = Path(__file__).with_name("results")
PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"


class NoMarkers(Exception):
    """The page lacks the two lines between which the results belong."""


def keep(run: Run) -> Path:
    """Store everything about a run; partial and quick ones are named so, and not for the repository."""
    RESULTS.mkdir(exist_ok=True)
    name = run.created_at[:19].replace(":", "") + ("" if run.is_full else "-partial")
    file = RESULTS / f"{name}.json"
    file.write_bytes(msgspec.json.format(msgspec.json.encode(run), indent=1) + b"\n")
    return file


def newest() -> Path | None:
    """The newest full run that is kept."""
    full = [file for file in RESULTS.glob("*.json") if not file.stem.endswith("-partial")]
    return max(full, default=None)


def write(run: Run, page: Path = PAGE) -> None:
    """Put the results of `run` between the page's markers; everything else stays. Raises NoMarkers."""
    page.write_text(inserted(page.read_text("utf-8"), markdown(run)), "utf-8")


def inserted(text: str, results: str) -> str:
    """`text` with `results` between its markers. Raises NoMarkers."""
    before, begin, rest = text.partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not begin or not end:
        raise NoMarkers(f"the page must hold the lines {BEGIN} and {END}")
    return f"{before}{begin}\n{results}\n{end}{after}"


def markdown(run: Run) -> str:
    """The results as Markdown, without a heading of the first two levels."""
    minutes = run.seconds_taken / 60
    parts = [f"Measured {run.created_at[:10]}, in {minutes:.0f} minutes, with {_listed(run.versions)}."]
    parts += [f"Machine: {_listed(run.machine)}.", f"Database: {_listed(run.database_settings)}."]
    parts += [_table(view) for view in (goals(run), *views(run))]
    if problems := [it for it in run.samples if it.problem is not None]:
        lines = [f"- {it.subject}, {it.connections} connections, round {it.round}: {it.problem}" for it in problems]
        parts.append("### Not counted\n\n" + "\n".join(lines))
    if run.notes or run.gaps:
        parts.append(
            "### Cannot be measured, and other remarks\n\n" + "\n".join(f"- {it}" for it in run.notes + run.gaps)
        )
    return "\n\n".join(["", *parts, ""])


def _table(view: View) -> str:
    rule = ["---", *("---:" for _ in view.columns[1:])]
    lines = [_line(view.columns), _line(rule), *(_line(row) for row in view.rows)]
    note = f"\n\n{view.note}" if view.note else ""
    return f"### {view.title}\n\n" + "\n".join(lines) + note


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _listed(members: dict[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in members.items())


def main() -> int:
    """Write the page from a kept run."""
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else newest()
    if file is None:
        print("no full run is kept in bench/results; make one with: make bench", file=sys.stderr)
        return 2
    write(msgspec.json.decode(file.read_bytes(), type=Run))
    print(f"{PAGE} now shows {file}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
