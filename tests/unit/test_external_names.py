"""The documented pattern of external names says what the code takes, character by character."""

import re
import sys
import unicodedata

import pytest

from align.external_names import EXTERNAL_NAME_PATTERN, external_name_problem, nfc

SURROGATES = range(0xD800, 0xE000)


def test_the_pattern_and_the_code_agree_on_every_character():
    pattern = re.compile(EXTERNAL_NAME_PATTERN)
    for number in range(sys.maxunicode + 1):
        # Planes 3 to 13 hold nothing but letters and gaps; every 97th of them is enough.
        if number in SURROGATES or (number > 0x2FFFF and number % 97):
            continue
        character = chr(number)
        assert bool(pattern.search(character)) == (external_name_problem(character) is None), hex(number)


@pytest.mark.parametrize(
    ("value", "is_taken"),
    [
        ("a", True),
        (" a ", True),
        ("a\u00a0b", True),
        ("a\tb", False),
        (" \u3000", False),
        ("\u0085a", False),
        ("", False),
    ],
)
def test_the_pattern_and_the_code_agree_on_longer_names(value, is_taken):
    assert bool(re.search(EXTERNAL_NAME_PATTERN, value)) == is_taken
    if value:  # the minimum length is a rule of its own
        assert (external_name_problem(value) is None) == is_taken


@pytest.mark.parametrize("value", ["é", "e\u0301", "가", "\u1100\u1161", "Å", "\u212b", "ａ", "ﬁ", "a", "🙂"])
def test_names_are_brought_into_nfc_and_no_further(value):
    assert nfc(value) == unicodedata.normalize("NFC", value)
