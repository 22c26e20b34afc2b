"""New identifiers: UUIDs of version 7 (RFC 9562), ordered by time, so that new rows land side by side in the index."""

from uuid import UUID

import uuid_utils


def new_id() -> UUID:
    """A new id."""
    return UUID(bytes=uuid_utils.uuid7().bytes)


def new_row_id() -> UUID:
    """A new id for a statement's parameters: has the `bytes` of a UUID and is five times quicker to make."""
    return uuid_utils.uuid7()  # type: ignore[return-value]


def new_id_text() -> str:
    """A new id as text: five times quicker to make than the object, where only its text is needed."""
    return str(uuid_utils.uuid7())
