"""What domain functions raise when they refuse what an operator or a caller asked for."""

from typing import ClassVar


class Refused(Exception):
    """Nothing was changed; `field` names the input at fault, the message says what would be right."""

    code: ClassVar[str] = "refused"

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class NotFound(Refused):
    """What the input names does not exist."""

    code = "not_found"


class Ambiguous(Refused):
    """The input names several things; the message lists their ids."""

    code = "ambiguous"


class AlreadyExists(Refused):
    """Something that must be unique is taken."""

    code = "already_exists"
