"""Where the members of a batch stand in its text, whatever names and escapes stand around them."""

import json

import pytest

from align.time_entries import batch_body

NAMES = [
    {},
    {"a": None},
    {"entriez": [1, 2]},
    {"\U0001f642": 1, "\U00107c9d": 2},  # escaped, each is a pair of surrogates
    {"\ue000": 1, "\U0001f642": 2},
    {'"': 1, "\\": 2, "": 3, "a\tb": {"entries": []}},
]


@pytest.mark.parametrize("beside", NAMES)
@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("options", [{}, {"ensure_ascii": False}, {"indent": 2}, {"separators": (",", ":")}])
def test_members_are_cut_out_as_they_stand(beside, is_first, options):
    entries = [{"x": "\U0001f642"}, {"y": [1, {"z": '"]}'}]}, 3, "entries", None, []]
    body = {"entries": entries, **beside} if is_first else {**beside, "entries": entries}
    found, unknown = batch_body.members(json.dumps(body, **options).encode())
    assert [json.loads(member) for member in found] == entries
    assert unknown == list(beside)


def test_half_a_surrogate_pair_stays_in_its_member():
    found, unknown = batch_body.members(b'{"entries": [{"a": "\\ud800"}, {"b": "\\udfff\\uD83D\\uDE42"}]}')
    assert (found, unknown) == ([b'{"a": "\\ud800"}', b'{"b": "\\udfff\\uD83D\\uDE42"}'], [])
