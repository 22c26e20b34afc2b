"""Which failures of the driver mean that the database is out of reach, and not that a statement is wrong."""

import asyncpg

# Classes of SQLSTATE: connection lost, out of resources (connections, disk, memory), ended by the operator or by time.
_UNAVAILABLE = ("08", "53", "57")


def is_unavailable(error: BaseException) -> bool:
    """Whether the same call may succeed a moment later without anybody changing it."""
    if isinstance(error, asyncpg.PostgresError):
        return (error.sqlstate or "")[:2] in _UNAVAILABLE
    return isinstance(error, OSError | asyncpg.InterfaceError | asyncpg.InternalClientError)
