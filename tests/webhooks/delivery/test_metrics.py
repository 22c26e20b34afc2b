"""What the operator sees of deliveries."""

import pytest

from align.web import metrics
from align.webhooks import upkeep
from tests.webhooks.delivery.conftest import working
from tests.webhooks.receiver import answer


def total(result: str) -> float:
    return metrics.WEBHOOK_ATTEMPTS.labels(result)._value.get()


@pytest.mark.parametrize(("status", "result"), [(204, "delivered"), (500, "retry"), (410, "gone")])
async def test_attempts_are_counted_by_result(hook, receiver, status, result):
    before = {each: total(each) for each in ("delivered", "retry", "gone")}
    receiver.always(answer(status))
    await hook.log()
    async with working(hook.world.pool):
        await hook.attempted(1)
    after = {each: total(each) - count for each, count in before.items()}
    assert after == {"delivered": 0, "retry": 0, "gone": 0, result: 1}


async def test_what_is_due_is_counted(hook):
    async def due() -> float:
        await upkeep.once(hook.world.pool)
        return metrics.WEBHOOK_PENDING._value.get()

    before = await due()
    await hook.world.pool.execute(
        """
        insert into webhook_deliveries (
            organization_id, id, webhook_id, event_id, event_name, entity_id, feed_epoch, transaction_id, body, due_at)
        select $1, gen_random_uuid(), $2, gen_random_uuid(), 'time.logged', gen_random_uuid(), 1, '1', '{}',
            now() + wait
        from unnest(array[interval '0', interval '0', interval '-1 hour', interval '1 hour']) wait
        """,
        hook.world.organization_id,
        hook.id,
    )
    await hook.world.pool.execute(
        "update webhook_deliveries set attempts = 1 where webhook_id = $1 and due_at > now()", hook.id
    )
    assert await due() == before + 3
