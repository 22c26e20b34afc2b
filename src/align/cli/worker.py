"""`align worker`: delivers webhooks in a process of its own."""

import os

from align.cli.failures import DatabaseUnusable
from align.cli.options import DataDir
from align.refusals import Refused
from align.settings import load


def worker(data_dir: DataDir = None) -> None:
    """Deliver webhooks until it is stopped (SIGTERM or Ctrl-C); any number may run side by side."""
    from align import server
    from align.db.embedded import EmbeddedServerFailure
    from align.db.migrate import UnusableDatabase

    try:
        server.deliver(load(os.environ, data_dir=data_dir))
    except (EmbeddedServerFailure, UnusableDatabase) as error:
        raise DatabaseUnusable(str(error)) from None
    except server.StartFailed as error:
        raise Refused("secretKey", str(error)) from None
