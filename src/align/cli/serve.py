"""`align serve`: the server."""

import os
from collections.abc import Callable
from typing import Annotated

import typer

from align.cli.failures import DatabaseUnusable
from align.cli.options import DataDir
from align.refusals import Refused
from align.settings import Settings, load

Host = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="Where to listen. Default: ALIGN_HOST, or 127.0.0.1."),
]
Port = Annotated[
    int | None,
    typer.Option(metavar="N", help="0 takes a free one. Default: ALIGN_PORT, or 8080."),
]
Workers = Annotated[
    int | None,
    typer.Option(metavar="N", help="Server processes. Default: ALIGN_WORKERS, or 1."),
]


def serve(host: Host = None, port: Port = None, workers: Workers = None, data_dir: DataDir = None) -> None:
    """Start the server, with its database, and run until it is stopped (SIGTERM or Ctrl-C)."""
    start(load(os.environ, host=host, port=port, workers=workers, data_dir=data_dir))


def start(settings: Settings, on_ready: Callable[[str], None] | None = None) -> None:
    """Run the server until it is stopped; `on_ready` gets its base URL. Raises Refused and DatabaseUnusable."""
    from align import server
    from align.db.embedded import EmbeddedServerFailure
    from align.db.migrate import UnusableDatabase

    try:
        server.serve(settings, on_ready=on_ready)
    except (EmbeddedServerFailure, UnusableDatabase) as error:
        raise DatabaseUnusable(str(error)) from None
    except server.PortTaken as error:
        raise Refused("port", str(error)) from None
    except server.StartFailed as error:
        raise Refused("server", str(error)) from None
