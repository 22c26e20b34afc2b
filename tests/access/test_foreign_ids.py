"""What a key may not see is answered as what does not exist is: nobody learns from an answer which ids there are."""

import pytest

from tests.access.asking import all_but_ids, ask, members_of
from tests.access.table import LINES


def is_refused(line, answer):
    """Whether nothing of what was asked for was done: the answer says so, or that of the one member does."""
    if line.strangers == "members":
        (member,) = members_of(answer)
        return "error" in member and member["error"]["error"] in ("not_found", "validation_error")
    return answer.status_code in (400, 404)


async def answers_alike(api, line, key, request, ids):
    """Fail unless these ids of things that exist elsewhere are, for this key, as unknown ones; one after the other."""
    for name, id_ in ids.items():
        foreign, unknown = request.naming({name: id_}), request.at_random(name)
        answers = [await ask(api, line, each, key) for each in (foreign, unknown)]
        alike = [all_but_ids(answer, each.ids) for answer, each in zip(answers, (foreign, unknown), strict=True)]
        assert alike[0] == alike[1], name
        assert not line.events or is_refused(line, answers[0]), (name, answers[0].text)


@pytest.mark.parametrize("line", LINES, ids=str)
async def test_an_answer_about_all_that_another_organisation_has_is_as_about_nothing(line, api, home, stranger):
    asked = await line.asked(home.place())
    if not asked.ids:
        assert "{" not in line.path
        return
    unknown = asked.at_random()
    before = await home.state(), await stranger.state()
    answers = [all_but_ids(await ask(api, line, each, stranger.world.key), each.ids) for each in (asked, unknown)]
    assert answers[0] == answers[1]
    assert (await home.state(), await stranger.state()) == before


@pytest.mark.parametrize("line", LINES, ids=str)
async def test_each_id_of_another_organisation_is_as_unknown(line, api, home, stranger):
    """Everything else of the request is in order, so that only this one id can be at fault."""
    own, foreign = await line.asked(home.place()), await line.asked(stranger.place())
    assert own.ids.keys() == foreign.ids.keys()
    before = await home.state(), await stranger.state()
    await answers_alike(api, line, home.world.key, own, foreign.ids)
    assert (await home.state(), await stranger.state()) == before


@pytest.mark.parametrize("line", [line for line in LINES if line.keys == "any"], ids=str)
async def test_each_id_of_another_project_is_as_unknown_to_a_key_of_one(line, api, home):
    own, foreign = await line.asked(home.place()), await line.asked(home.second_place())
    ids = {name: id_ for name, id_ in foreign.ids.items() if id_ != own.ids[name] and name not in line.shared}
    before = await home.state()
    await answers_alike(api, line, home.world.project_key, own, ids)
    assert await home.state() == before


@pytest.mark.parametrize("line", [line for line in LINES if line.path.startswith("/integration/")], ids=str)
async def test_paths_without_the_prefix_are_guarded_in_the_same_way(line, api, home):
    for key, status in ((home.world.project_key, 403), (None, 401), (home.world.key, line.success)):
        asked = await line.asked(home.place())
        assert (await ask(api, line, asked, key, prefix="")).status_code == status
