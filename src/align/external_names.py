"""The names other systems give to themselves and to their things (contract, decision 8)."""

import re
import unicodedata

MAXIMUM_NAME_LENGTH = 255

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
# At least one character that is not white space, and none that is a control character.
_CONTROLS = r"\u0000-\u001f\u007f-\u009f"
_WHITE_SPACE = r"\u0020\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
EXTERNAL_NAME_PATTERN = f"^[^{_CONTROLS}]*[^{_CONTROLS}{_WHITE_SPACE}][^{_CONTROLS}]*$"


def nfc(text: str) -> str:
    """Unicode NFC, in which external names are compared (decision 8)."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def external_name_problem(value: str, _raw: bytes = b"") -> tuple[str, str] | None:
    """(code, message) when `value` can't be an external system or id."""
    value = nfc(value)
    if len(value) > MAXIMUM_NAME_LENGTH:  # NFC makes a few strings longer
        return "too_long", f"must be at most {MAXIMUM_NAME_LENGTH} characters in Unicode NFC"
    if value.isprintable() and not value.isspace():
        return None
    if _CONTROL.search(value):
        return "control_character", "must hold no control characters"
    return ("blank", "must hold more than white space") if value.isspace() else None
