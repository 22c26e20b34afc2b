"""externalSystem and externalId: compared exactly, after Unicode NFC; 1 to 255 characters; nothing invisible alone."""

import unicodedata

import pytest

from tests.api.conftest import nothing_stored, refusal, stored_once, validation_error

NAMES = ("externalSystem", "externalId")
TOO_LONG = ("too_long", "must be a string of 1 to 255 characters")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "value",
    ["x", "x" * 254, "x" * 255, "é" * 255, "🙂" * 255, " padded ", "a b", "ünï/cödé?&=#%", "null", "0", "-1", "../..",
     "a\u200bb", "\ufeff", '"quoted"', "back\\slash", "'; drop table time_entries; --", "日本語"],
)  # fmt: skip
async def test_any_text_within_the_limits_is_a_name(shared_api, pool, name, value):
    entry = {**shared_api.world.entry(externalId=f"{name} {shared_api.way}"), name: value}
    entry["externalSystem" if name == "externalId" else "externalId"] = f"other than {name} {shared_api.way}"
    async with stored_once(shared_api.world):
        responses = [await shared_api.sync(entry), await shared_api.sync(entry)]
    assert [response.status_code for response in responses] == [201, 200]
    stored = await pool.fetchrow(
        "select provider, external_id from integration_links where organization_id = $1 and id = $2::text::uuid",
        shared_api.world.organization_id,
        responses[0].json()["integrationLinkId"],
    )
    assert stored["provider" if name == "externalSystem" else "external_id"] == value


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("", ("too_short", "must be a string of 1 to 255 characters")),
        ("x" * 256, TOO_LONG),
        ("🙂" * 256, TOO_LONG),
        ("x" * 5000, TOO_LONG),
        (" ", ("blank", "must hold more than white space")),
        ("\u3000\u00a0\u2003", ("blank", "must hold more than white space")),
        ("\t", ("control_character", "must hold no control characters")),
        ("a\nb", ("control_character", "must hold no control characters")),
        ("a\r\nX-Evil: 1", ("control_character", "must hold no control characters")),
        ("a\u001b[31m", ("control_character", "must hold no control characters")),
        ("a\u007f", ("control_character", "must hold no control characters")),
        ("a\u0085", ("control_character", "must hold no control characters")),
        ("\u0958" * 128, ("too_long", "must be at most 255 characters in Unicode NFC")),
    ],
)
async def test_what_is_no_name_is_refused(shared_api, name, value, problem):
    async with nothing_stored(shared_api.world):
        response = await shared_api.sync(shared_api.world.entry(**{name: value}))
    assert response.status_code == 400
    assert refusal(response) == validation_error((name, *problem))


@pytest.mark.parametrize("name", NAMES)
async def test_composed_and_decomposed_spellings_are_one_name(api, name):
    composed, decomposed = unicodedata.normalize("NFC", "Café Å"), unicodedata.normalize("NFD", "Café Å")
    assert composed != decomposed
    entry = api.world.entry()
    async with stored_once(api.world):
        first = await api.sync({**entry, name: decomposed})
        second = await api.sync({**entry, name: composed})
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]
    if name == "externalSystem":
        assert first.json()["source"] == second.json()["source"] == composed


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("one", "other"),
    [("Jira", "jira"), ("a", "a "), ("ﬁ", "fi"), ("ß", "ss"), ("A", "А"), ("1", "１"), ("a", "a\u200b")],
)
async def test_names_that_only_look_alike_are_two(api, name, one, other):
    entry = api.world.entry()
    first = await api.sync({**entry, name: one})
    second = await api.sync({**entry, name: other})
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["id"] != second.json()["id"]


async def test_system_and_id_are_not_run_together(api):
    first = await api.sync(api.world.entry(externalSystem="ab", externalId="c"))
    second = await api.sync(api.world.entry(externalSystem="a", externalId="bc"))
    assert (first.status_code, second.status_code) == (201, 201)
