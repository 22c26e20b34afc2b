"""What a run measures, for how long and how often."""

import secrets
from typing import Literal

import msgspec

PARTS = ("single", "pgbench", "ceiling", "batch", "peer", "webhooks", "growth", "memory")
Ids = Literal["random", "numbered"]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The choices of a run. `seconds` is the time of one sample, `rounds` how often everything takes its turn."""

    parts: tuple[str, ...] = PARTS
    quick: bool = False
    seconds: float = 5.0
    rounds: int = 5
    connections: tuple[int, ...] = (1, 32, 64, 128)
    # Random external ids are UUIDs, the harder case for every index; numbered ones count up.
    ids: Ids = "random"
    growth_rows: tuple[int, ...] = (0, 1_000_000, 10_000_000)
    memory_requests: int = 1_000_000
    # Rows of one sample of a batch; a sample has no fixed time, since a stream is measured to its end.
    batch_rows: int = 200_000
    ndjson_lines: tuple[int, ...] = (10_000, 100_000)
    # Events that wait to be delivered, and lone syncs whose deliveries are timed, in one sample each.
    webhook_backlog: int = 20_000
    webhook_syncs: int = 100


QUICK = Plan(
    quick=True,
    seconds=2.0,
    rounds=2,
    connections=(1, 64),
    growth_rows=(0, 100_000),
    memory_requests=50_000,
    batch_rows=20_000,
    ndjson_lines=(10_000,),
    webhook_backlog=10_000,
    webhook_syncs=50,
)


def token() -> str:
    """Eight digits that differ from run to run of a load, so that external ids never meet."""
    return secrets.token_hex(4)
