"""The same external id from many senders at once is stored exactly once."""

from collections import Counter

from tests.conftest import gather_released
from tests.races.conftest import stored, sync

SENDERS = 50


async def test_a_pair_sent_fifty_times_at_once_is_created_once(servers, world):
    entry = world.entry()
    answers = await gather_released(SENDERS, lambda index: sync(servers[index % len(servers)], world, entry))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 200: SENDERS - 1}
    assert Counter(answer.json()["created"] for answer in answers) == {True: 1, False: SENDERS - 1}
    assert {frozenset(await stored(world))} == {frozenset([entry["externalId"]])}
    for name in ("id", "integrationLinkId"):
        assert len({answer.json()[name] for answer in answers}) == 1


async def test_many_pairs_sent_by_several_senders_at_once_are_each_created_once(servers, world):
    entries = [world.entry() for _ in range(41)]  # odd, so that every pair is sent to each of two servers

    async def send(index):
        return await sync(servers[index % len(servers)], world, entries[index % len(entries)])

    answers = await gather_released(5 * len(entries), send)
    created = [answer.json()["id"] for answer in answers if answer.status_code == 201]
    assert {answer.status_code for answer in answers} == {200, 201}
    assert sorted((await stored(world)).values()) == sorted(created)
    assert len(created) == len(entries)


async def test_of_different_contents_at_once_one_wins_whole_and_the_others_are_told(servers, world):
    entry = world.entry()
    texts = [f"version {number}" for number in range(20)]

    async def send(index):
        changed = entry | {"description": texts[index], "minutes": index + 1}
        return await sync(servers[index % len(servers)], world, changed)

    answers = await gather_released(len(texts), send)
    winner = next(index for index, answer in enumerate(answers) if answer.status_code == 201)
    for index, answer in enumerate(answers):
        assert answer.json()["notes"] == texts[winner]
        assert answer.json()["minutes"] == winner + 1
        expected = None if index == winner else "minutes, description"
        assert answer.headers.get("content-differs") == expected
    assert len(await stored(world)) == 1


async def test_the_same_pair_of_two_organisations_at_once_are_two_entries(servers, world, other_world):
    external_id = "shared-id"

    async def send(index):
        sender = (world, other_world)[index // 2 % 2]
        return await sync(servers[index % len(servers)], sender, sender.entry(externalId=external_id))

    answers = await gather_released(20, send)
    assert Counter(answer.status_code for answer in answers) == {201: 2, 200: 18}
    for sender in (world, other_world):
        own = {
            answer.json()["id"] for answer in answers if answer.json()["organizationId"] == str(sender.organization_id)
        }
        assert own == set((await stored(sender)).values())
        assert len(own) == 1
