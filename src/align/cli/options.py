"""The arguments and options that several commands share."""

from typing import Annotated, Literal

import typer


def _not_empty(value: str | None) -> str | None:
    # An unset shell variable must not turn the current directory into a data directory.
    if value == "":
        raise typer.BadParameter("it is empty; name a directory")
    return value


DataDir = Annotated[
    str | None,
    typer.Option(
        "--data-dir",
        metavar="DIRECTORY",
        help="The server's data directory. Default: ALIGN_DATA_DIR, or the user's data directory. "
        "Holds no database when ALIGN_DATABASE_URL is set.",
        callback=_not_empty,
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON value; a failure is one JSON object on stderr.")]
OrganizationArgument = Annotated[
    str, typer.Argument(metavar="ORG", help="The organisation: its id or exact name.", show_default=False)
]
ProjectArgument = Annotated[
    str, typer.Argument(metavar="PROJECT", help="The project: its id or exact name.", show_default=False)
]
UserArgument = Annotated[str, typer.Argument(metavar="USER", help="The user: id or email.", show_default=False)]
KeyArgument = Annotated[
    str,
    typer.Argument(metavar="KEY", help="The key: its id or the prefix shown by `list`.", show_default=False),
]
OnOff = Literal["on", "off"]
