"""The results as tables for a terminal."""

import sys

from rich import box
from rich.console import Console
from rich.table import Table

from bench.samples import Run
from bench.views import View, goals, views

WIDTH_WITHOUT_TERMINAL = 140
LIMITS = (
    "What can't be measured here: a network (all is on this machine), more cores than it has (load generator, server "
    "and database share them), and what years of changes do to a database. docs/performance.md says how it is measured."
)


def show(run: Run) -> None:
    """Print everything a person wants to know of a run."""
    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else WIDTH_WITHOUT_TERMINAL)
    for title, members in (
        ("Machine", run.machine),
        ("Versions", run.versions),
        ("Database", run.database_settings),
    ):
        console.print(f"{title}: " + ", ".join(f"{name} {value}" for name, value in members.items()), style="dim")
    for view in (*views(run), goals(run)):
        _show_view(console, view)
    for sample in run.samples:
        if sample.problem is not None:
            where = f"{sample.subject}, {sample.connections} connections, round {sample.round}"
            console.print(f"Not counted: {where}: {sample.problem}", style="bold red", soft_wrap=True)
    for note in run.notes:
        console.print(note, soft_wrap=True)
    for gap in run.gaps:
        console.print(f"Cannot measure: {gap}", style="bold yellow", soft_wrap=True)
    console.print(LIMITS, style="dim", soft_wrap=True)
    if not run.is_full:
        console.print("A quick or partial run: a glance at the figures, not a result.", style="bold")


def _show_view(console: Console, view: View) -> None:
    table = Table(title=view.title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for number, name in enumerate(view.columns):
        table.add_column(name, justify="right" if number else "left", overflow="fold")
    for row in view.rows:
        table.add_row(*row)
    console.print()
    console.print(table)
    if view.note:
        console.print(view.note, style="dim", soft_wrap=True)
