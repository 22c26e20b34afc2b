"""The metrics of the server, for Prometheus. No label ever carries an id of a tenant."""

import os
from collections.abc import Callable
from pathlib import Path

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

# Recommended by OpenTelemetry for the duration of HTTP requests.
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
_QUICK_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

REQUESTS = Counter("align_http_requests", "Requests answered.", ["method", "route", "status"])
REQUEST_SECONDS = Histogram(
    "align_http_request_duration_seconds", "Time from request to answer.", ["method", "route"], buckets=_SECONDS
)
SYNC_OUTCOMES = Counter("align_sync_outcomes", "Synced time entries by outcome.", ["outcome"])
IDEMPOTENCY = Counter("align_idempotency_results", "Requests with an Idempotency-Key by result.", ["result"])
AUTHENTICATION_FAILURES = Counter("align_authentication_failures", "Requests refused with 401.", ["reason"])
RATE_LIMITED = Counter("align_rate_limited", "Requests refused with 429.")
RATE_LIMITER_FAILURES = Counter("align_rate_limiter_failures", "Requests passed since Redis did not answer.")
SYNC_QUEUE_DEPTH = Gauge("align_sync_queue_depth", "Syncs waiting for a statement.", multiprocess_mode="livesum")
SYNC_STATEMENT_ROWS = Histogram(
    "align_sync_statement_rows", "Rows of a sync statement.", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
)
SYNC_STATEMENT_SECONDS = Histogram(
    "align_sync_statement_duration_seconds", "Time of a sync statement.", buckets=_QUICK_SECONDS
)
SYNC_QUEUE_SECONDS = Histogram(
    "align_sync_queue_wait_seconds", "Longest wait among the rows of a sync statement.", buckets=_QUICK_SECONDS
)
SYNC_RETRIED_STATEMENTS = Counter(
    "align_sync_retried_statements", "Sync statements that failed and were retried row by row."
)
WEBHOOK_ATTEMPTS = Counter("align_webhook_attempts", "Attempts to deliver to a webhook by result.", ["result"])
WEBHOOK_LAG_SECONDS = Histogram(
    "align_webhook_delivery_lag_seconds",
    "Time from an event's hand-over to its delivery.",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 5, 30, 300, 1800, 7200, 43_200, 86_400, 259_200),
)
WEBHOOK_PENDING = Gauge(
    "align_webhook_pending_deliveries", "Deliveries that are due and not delivered yet.", multiprocess_mode="mostrecent"
)
CHANGES_DELAY_SECONDS = Gauge(
    "align_changes_delay_seconds",
    "How long the change feed is held back by the oldest transaction that writes.",
    multiprocess_mode="livemax",
)

_outcome_counters: dict[str, Callable[[], None]] = {}


def count_outcome(outcome: str) -> None:
    """Count a sync; `labels()` would look the counter up under a lock each time."""
    count = _outcome_counters.get(outcome)
    if count is None:
        count = _outcome_counters[outcome] = SYNC_OUTCOMES.labels(outcome).inc
    count()


def exposition() -> bytes:
    """All metrics in the text format; of all worker processes where there are several."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def forget_process() -> None:
    """Take this process's gauges out of the sums when it ends."""
    directory = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if directory and Path(directory).is_dir():
        mark_process_dead(os.getpid(), directory)  # type: ignore[no-untyped-call]
