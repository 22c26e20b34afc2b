"""The text of a key: recognisable, checked by its sum, and never the same twice."""

import hashlib
import string

import pytest

from align.access import key_text


@pytest.mark.parametrize(("scope", "prefix"), [("organization", "ako_"), ("project", "akp_")])
def test_a_key_is_prefix_random_part_and_checksum(scope, prefix):
    made = key_text.make(scope)
    assert made.text.startswith(prefix)
    assert len(made.text) == 42
    assert set(made.text[4:]) <= set(string.ascii_letters + string.digits)
    assert made.prefix == made.text[:10]
    assert made.digest == hashlib.sha256(made.text.encode()).digest()
    assert key_text.is_well_formed(made.text)


def test_no_two_keys_are_alike():
    made = [key_text.make("organization") for _ in range(500)]
    assert len({key.text for key in made}) == len({key.digest for key in made}) == 500


@pytest.mark.parametrize("scope", key_text.PREFIXES)
def test_every_single_wrong_character_is_found(scope):
    text = key_text.make(scope).text
    for position, character in enumerate(text):
        for wrong in "0aZ_ é\x00":
            if wrong != character:
                assert not key_text.is_well_formed(text[:position] + wrong + text[position + 1 :])


def test_neighbours_that_changed_places_are_found():
    text = key_text.make("organization").text
    for position in range(4, len(text) - 1):
        swapped = text[:position] + text[position + 1] + text[position] + text[position + 2 :]
        assert swapped == text or not key_text.is_well_formed(swapped)


def test_a_part_of_a_key_is_none():
    text = key_text.make("organization").text
    for length in range(len(text)):
        assert not key_text.is_well_formed(text[:length])
        assert not key_text.is_well_formed(text[len(text) - length :] if length else "")
    for longer in (text + "0", " " + text, text + " ", text + "\n", text + text):
        assert not key_text.is_well_formed(longer)


def test_the_checksum_covers_the_scope():
    """A project's key does not become an organisation's by its prefix."""
    text = key_text.make("project").text
    assert not key_text.is_well_formed("ako_" + text[4:])


@pytest.mark.parametrize("text", ["", "ako_", "ako_" + "0" * 38, "x" * 42, "ako_" + "é" * 38])
def test_what_only_looks_like_a_key_is_none(text):
    assert not key_text.is_well_formed(text)
