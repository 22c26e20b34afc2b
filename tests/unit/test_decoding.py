"""The quick decoder is only right when it says yes: then it must say what the thorough one says."""

import json
from uuid import UUID

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from align.time_entries import decoding
from align.web.body import Unfit

ID = "7b1e2c3d-0000-0000-0000-000000000001"
PLAIN = {
    "projectId": f'"{ID}"',
    "userId": f'"{ID}"',
    "workDate": '"2025-01-15"',
    "minutes": "150",
    "externalSystem": '"illumera"',
    "externalId": '"te-1"',
}
OPTIONAL = {
    "billable": "false",
    "description": '"Planning é"',
    "entryId": f'"{ID}"',
    "externalMetadata": '{"a": 1.50}',
}
NAMES = [*PLAIN, *OPTIONAL, "unknown", "Minutes", "", "minutes ", "m\\u0069nutes"]
VALUES = [
    *PLAIN.values(), *OPTIONAL.values(), "150.0", "1.5e2", "1e400", "-0", "-1", "0", "0150", "1441", "9" * 40, "true",
    "null", '""', '" "', '"2025-02-30"', '"2025-01-15T10:00:00Z"', '"a\\"b"', '"a\\u0000"', '"\\ud800"', '"é"',
    '"e\u0301"', '"\u0085"', '"\x7f"', '"a\nb"', '"x":150,', "[]", "{}", '{"a":1,"a":2}', f'"{ID.upper()}"',
    f'"{ID.replace("-", "")}"', '"' + "x" * 256 + '"', '"' + "\u0958" * 128 + '"', "NaN", "1,", "", '"',
    '"minutes": 150',
]  # fmt: skip
SPACES = ["", " ", "\n", "\t ", "\r\n", "\x0b", "\ufeff", "\u00a0", ","]
# A loaded machine is no failure.
PROPERTY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def bodies(draw) -> bytes:
    """A good body with members changed, doubled, inserted, dropped, and odd spacing."""
    parts = [[name, value] for name, value in PLAIN.items()]
    for name, value in OPTIONAL.items():
        if draw(st.booleans()):
            parts.append([name, value])
    for _ in range(draw(st.integers(0, 3))):
        index = draw(st.integers(0, len(parts) - 1))
        match draw(st.sampled_from(["change", "double", "insert", "drop", "rename"])):
            case "change":
                parts[index][1] = draw(st.sampled_from(VALUES))
            case "double":
                parts.insert(draw(st.integers(0, len(parts))), list(parts[index]))
            case "insert":
                parts.insert(index, [draw(st.sampled_from(NAMES)), draw(st.sampled_from(VALUES))])
            case "rename":
                parts[index][0] = draw(st.sampled_from(NAMES))
            case "drop" if len(parts) > 1:
                del parts[index]
    space = draw(st.sampled_from(SPACES[:5]) | st.sampled_from(SPACES))
    text = ",".join(f'{space}"{name}"{space}:{space}{value}{space}' for name, value in draw(st.permutations(parts)))
    text = f"{{{text}}}"
    if draw(st.integers(0, 9)) == 0:
        cut = draw(st.integers(0, len(text)))
        text = text[:cut] + draw(st.sampled_from(["", '"', "\\", "}", "\x00"])) + text[cut + draw(st.integers(0, 1)) :]
    return text.encode("utf-8", "surrogatepass")


def plain(members: dict[str, str]) -> bytes:
    """A body of members spelled so."""
    return ("{" + ",".join(f'"{name}":{value}' for name, value in members.items()) + "}").encode("utf-8", "replace")


def assert_agreement(body: bytes) -> None:
    """Whenever the quick decoder says yes, the thorough one must say the same."""
    quick = decoding._decode_plain(body)
    try:
        thorough, unknown = decoding._BODY.decode(body)
    except Unfit:
        thorough, unknown = None, []
    if quick is not None:
        assert quick == thorough, body
        assert unknown == [], body
        assert quick.external_metadata is msgspec.UNSET, body


@given(body=bodies())
@settings(PROPERTY, max_examples=600)
def test_what_the_quick_decoder_takes_the_thorough_one_takes_alike(body):
    assert_agreement(body)


def test_they_agree_on_every_value_in_the_place_of_every_member():
    for name in NAMES:
        for value in VALUES:
            for optional in ({}, OPTIONAL):
                members = {**PLAIN, **optional, name: value}
                assert_agreement(plain(members))
                # As a second member of the name, before and after the first, and in the place of another.
                assert_agreement(plain(PLAIN)[:-1] + f',"{name}":{value}}}'.encode())
                assert_agreement(b"{" + f'"{name}":{value},'.encode() + plain(PLAIN)[1:])
                for left_out in PLAIN:
                    assert_agreement(plain({each: members[each] for each in members if each != left_out}))


@given(body=bodies())
@settings(PROPERTY, max_examples=300)
def test_decoding_ends_in_an_entry_or_in_problems_and_nothing_else(body):
    try:
        entry, unknown = decoding.decode(body)
    except Unfit as unfit:
        found = unfit.problems
    else:
        found = []
        text = json.loads(body)
        assert entry.minutes == text["minutes"]
        assert isinstance(text["minutes"], int)
        assert unknown == [name for name in text if name not in {*PLAIN, *OPTIONAL}]
    assert all(problem.code and problem.message for problem in found)


def test_the_quick_decoder_takes_ordinary_bodies():
    """Else the property above would hold for nothing."""
    for optional in ({}, {"billable": "true"}, {"description": '"x: {y}, [z]"'}, {"entryId": f'"{ID}"'}):
        entry = decoding._decode_plain(plain({**PLAIN, **optional}))
        assert entry is not None
        assert entry.project_id == UUID(ID)
    without_metadata = {name: value for name, value in OPTIONAL.items() if name != "externalMetadata"}
    assert decoding._decode_plain(plain({**PLAIN, **without_metadata})) is not None
