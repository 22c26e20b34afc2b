"""The command line."""

import sys
from typing import Annotated, NoReturn

import typer

from align import __version__
from align.cli import demo, failures, keys, orgs, output, projects, reconcile, serve, tickets, users, worker

app = typer.Typer(
    name="align",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    epilog="Exit codes: 0 done, 1 refused or not found, 2 wrong usage or settings, 3 no usable database. "
    "Of reconcile: 0 equal, 1 different, 2 not compared.",
)
app.command()(serve.serve)
app.command()(worker.worker)
app.command()(demo.demo)
app.command()(reconcile.reconcile)
app.add_typer(orgs.app, name="orgs")
app.add_typer(users.app, name="users")
app.add_typer(projects.app, name="projects")
app.add_typer(tickets.app, name="tickets")
app.add_typer(keys.app, name="keys")


def _version(wanted: bool) -> None:
    if wanted:
        print(f"align {__version__}")
        raise typer.Exit


@app.callback()
def align(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Align: hours worked anywhere arrive exactly once, are approved, locked and invoiced."""


def main() -> NoReturn:
    """Run the command in `sys.argv` and end the process with its exit code (see `align --help`)."""
    try:
        exit_code = app(standalone_mode=False) or 0
        sys.stdout.flush()
    except BrokenPipeError:
        output.give_up_stdout()
        exit_code = failures.REFUSED
    except Exception as error:
        exit_code = failures.report(error, as_json="--json" in sys.argv)
    sys.exit(exit_code)
