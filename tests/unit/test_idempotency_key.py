"""Idempotency-Key: what is a key, which spellings are one key, and which bodies say the same."""

import json
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from align.errors import ApiError
from align.time_entries.api import IDEMPOTENCY_KEY
from align.web import idempotency
from align.web.http import Request

PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))
# A loaded machine is no failure.
PROPERTY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def read(*values: str) -> str | None:
    """The key in a request with these headers."""
    headers = [(b"idempotency-key", value.encode("latin-1")) for value in values]
    return idempotency.read_key(Request({"headers": headers}, None, "/"))


def quoted(key: str) -> str:
    return '"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"'


@given(key=st.text(PRINTABLE, min_size=1, max_size=255))
@settings(PROPERTY, max_examples=150)
def test_bare_and_quoted_spellings_are_one_key(key):
    assert read(quoted(key)) == read(f" {quoted(key)}\t") == key
    if not key.startswith('"'):
        assert read(key) == key


@given(value=st.text(st.sampled_from(PRINTABLE) | st.sampled_from(' "\\\t\x00\x7f\x80é'), max_size=8))
@settings(PROPERTY, max_examples=400)
def test_the_documented_pattern_is_what_is_taken(value):
    documented = re.search(IDEMPOTENCY_KEY.schema["pattern"], value) is not None and "\n" not in value
    try:
        said = read(value) and "taken"
    except ApiError as error:
        said = error.code
    # HTTP trims the ends of a header.
    assert said == ("taken" if documented else "idempotency_key_invalid") or value != value.strip(" \t")


@pytest.mark.parametrize("length", [255, 256])
def test_255_characters_are_the_limit_in_either_spelling(length):
    for value in ("k" * length, quoted("k" * length), quoted('"' * length)):
        if length == 255:
            assert len(read(value)) == 255
        else:
            with pytest.raises(ApiError, match="1 to 255 printable ASCII"):
                read(value)


def test_without_the_header_there_is_no_key():
    assert read() is None


def test_the_header_sent_twice_is_refused_even_with_one_value():
    with pytest.raises(ApiError, match="more than once"):
        read("k", "k")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"a":1,"b":2}', '{"b":2,"a":1}'),
        ('{"a":1}', ' {\n"a" : 1 } '),
        ('{"a":"é"}', '{"a":"\\u00e9"}'),
        ('{"a":{"x":1,"y":[1,2]}}', '{"a":{"y":[1,2],"x":1}}'),
        ("{", "{"),
    ],
)
def test_bodies_that_say_the_same_have_one_fingerprint(one, other):
    assert idempotency.fingerprint(one.encode()) == idempotency.fingerprint(other.encode())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"a":1}', '{"a":2}'),
        ('{"a":1}', '{"A":1}'),
        ('{"a":1}', '{"a":"1"}'),
        ('{"a":1}', '{"a":true}'),
        ('{"a":null}', "{}"),
        ('{"a":[1,2]}', '{"a":[2,1]}'),
        ('{"a":9007199254740993}', '{"a":9007199254740992}'),
        ('{"a":0.1}', '{"a":0.10000000000000001}'),
        ("{", "{ "),
        ("{", "{}"),
        ('{"a":1,"a":1}', '{"a":1}'),
    ],
)
def test_bodies_that_differ_have_different_fingerprints(one, other):
    assert idempotency.fingerprint(one.encode()) != idempotency.fingerprint(other.encode())


CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")
LEAVES = st.integers() | st.booleans() | st.text(CHARACTERS, max_size=5) | st.none()


@given(value=st.dictionaries(st.text(CHARACTERS, max_size=5), LEAVES))
@settings(PROPERTY, max_examples=100)
def test_order_and_spacing_never_change_the_fingerprint(value):
    backwards = dict(reversed(value.items()))
    texts = [json.dumps(value), json.dumps(backwards, indent=3), json.dumps(backwards, ensure_ascii=False)]
    assert len({idempotency.fingerprint(text.encode()) for text in texts}) == 1
