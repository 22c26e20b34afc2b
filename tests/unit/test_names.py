"""The rules for names, and for looking things up by them."""

from uuid import UUID

import pytest

from align import names
from align.refusals import Refused


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "name is blank"),
        (" \u200b\u00a0\t", "name is blank"),
        ("a\x00b", "name holds a control character"),
        ("a\nb", "name holds a control character"),
        ("a\x1b[2Jb", "name holds a control character"),
        ("a\u2028b", "name holds a control character"),
        ("a\ud800b", "name holds a control character"),
        ("x" * 201, "name has 201 characters; at most 200"),
    ],
)
def test_unfit_names_are_refused_with_the_reason(text, reason):
    with pytest.raises(Refused, match=reason) as refused:
        names.checked("name", text)
    assert refused.value.field == "name"


@pytest.mark.parametrize("text", ["x" * 200, "Søren & Söhne", "👩‍💻 team", "नमस्ते", "[b]x[/b]", "'; drop table users"])
def test_other_names_are_kept_as_they_are(text):
    assert names.checked("name", f" {text} ") == text


def test_ids_are_read_leniently_and_anything_else_is_no_id():
    expected = UUID("de300000-0000-8000-8000-000100000000")
    assert names.parse_id("DE300000-0000-8000-8000-000100000000") == expected
    assert names.parse_id("Acme") is None
