"""New identifiers."""

from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """A UUID of version 7 (RFC 9562): ordered by time, so that new rows land side by side in the index."""
    return uuid7()
