"""What domain functions raise when they refuse what an operator or a caller asked for."""


class Refused(Exception):
    """Nothing was changed; `field` names the input at fault, the message says what would be right."""

    code: str = "refused"

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class NotFound(Refused):
    """What the input names does not exist."""

    code = "not_found"


class Ambiguous(Refused):
    """The input names several things; the message lists their ids."""

    code = "ambiguous"


class Conflict(Refused):
    """The state of things does not allow it; the machine code (of align.errors.CATALOGUE) names the rule."""

    def __init__(self, code: str, field: str, message: str) -> None:
        super().__init__(field, message)
        self.code = code


class AlreadyExists(Conflict):
    """Something that must be unique is taken."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__("already_exists", field, message)
