"""The results as tables, for a terminal and for the documentation alike."""

from collections.abc import Callable, Sequence

import msgspec

from bench import batch, growth, memory, peer, pgbench, single, webhooks
from bench.processes import PEAK_MEMORY, SERVER_MEMORY
from bench.samples import Run, Sample, Spread, best, rate, rate_ratio, spread

NOTHING = "-"


class View(msgspec.Struct, frozen=True):
    """A table; the first column holds names, the others figures."""

    title: str
    columns: list[str]
    rows: list[list[str]]
    note: str = ""


def views(run: Run) -> list[View]:
    """All tables of a run that have something to show, but for the goals."""
    found = [
        syncs_against_others(run),
        rates(run),
        latencies(run),
        batches(run),
        peers(run),
        deliveries(run),
        growth_of(run),
        sizes(run),
    ]
    return [it for it in found if it.rows]


def goals(run: Run) -> View:
    """The goals, and which of them were reached."""
    verdicts = {True: "reached", False: "missed", None: NOTHING}
    rows = [[it.name, it.aim, it.found, verdicts[it.reached]] for it in run.goals]
    return View("Goals", ["", "goal", "found", ""], rows)


def times(found: Spread | None) -> str:
    """A ratio with its spread, as a person reads it."""
    return _with_spread(found, lambda value: f"{value:.2f}", "x")


def share(found: Spread | None) -> str:
    """A ratio that is expected below one, with its spread."""
    return _with_spread(found, lambda value: f"{value:.0%}")


def figure(found: Spread | None, decimals: int = 0) -> str:
    """A figure with its spread."""
    return _with_spread(found, lambda value: f"{value:,.{decimals}f}")


def _with_spread(found: Spread | None, written: Callable[[float], str], unit: str = "") -> str:
    if found is None:
        return NOTHING
    alone = found.least == found.greatest
    spread_text = "" if alone else f" ({written(found.least)} to {written(found.greatest)})"
    return f"{written(found.median)}{unit}{spread_text}"


def counted(run: Run, part: str) -> list[int]:
    """All connection counts of a part."""
    return sorted({it.connections for it in run.samples if it.part == part})


def syncs_against_others(run: Run) -> View:
    """Ratios of single syncs, by connection count."""
    pgbench_best = best(run, single.PART, tuple(pgbench.FORMS))
    rows = []
    for connections in counted(run, single.PART):
        ours = run.of(single.PART, single.FRESH, connections)
        if not ours:
            continue
        rows.append(
            [
                str(connections),
                times(rate_ratio(ours, pgbench.best_form(run, connections))),
                times(rate_ratio(ours, pgbench_best)),
                share(rate_ratio(ours, run.of(single.PART, single.CEILING, connections))),
                times(rate_ratio(run.of(single.PART, single.KNOWN, connections), ours)),
                times(rate_ratio(run.of(single.PART, single.UNLIMITED, connections), ours)),
            ]
        )
    note = ""
    if pgbench_best:
        note = f"pgbench was best with {pgbench_best[0].connections} connections: {pgbench_best[0].subject}. "
    note += f"Syncs are those of fresh pairs with a rate-limited key; external ids are {run.options['ids']}."
    columns = [
        "connections", "syncs / pgbench", "syncs / pgbench at its best", "syncs / bare ceiling",
        "known pairs / fresh pairs", "key without limit / with limit",
    ]  # fmt: skip
    return View("Single syncs: how many times as fast", columns, rows, note)


def rates(run: Run) -> View:
    """Rates of everything measured at several connection counts."""
    return _by_connections(run, "Per second", lambda found: figure(rate(found)))


def latencies(run: Run) -> View:
    """Median and 99th percentile of everything measured at several connection counts."""

    def cell(found: Sequence[Sample]) -> str:
        middle = spread([it.p50_milliseconds for it in found if it.p50_milliseconds is not None])
        last = spread([it.p99_milliseconds for it in found if it.p99_milliseconds is not None])
        mean = spread([it.mean_milliseconds for it in found if it.mean_milliseconds is not None])
        if middle is not None and last is not None:
            return f"{middle.median:.2f} / {last.median:.2f}"
        return NOTHING if mean is None else f"mean {mean.median:.2f}"

    return _by_connections(run, "Milliseconds, p50 / p99", cell)


def _by_connections(run: Run, title: str, cell: Callable[[Sequence[Sample]], str]) -> View:
    subjects = [single.FRESH, single.UNLIMITED, single.KNOWN, *pgbench.FORMS, single.CEILING]
    counts = counted(run, single.PART)
    rows = [
        [subject, *(cell(run.of(single.PART, subject, connections)) for connections in counts)]
        for subject in subjects
        if run.connection_counts(single.PART, subject)
    ]
    plural = [f"{it} connection{'s' if it > 1 else ''}" for it in counts]
    return View(title, ["", *plural], rows)


def batches(run: Run) -> View:
    """Rows per second, and the share of what the database does by itself."""
    rows = [
        [
            subject,
            figure(rate(run.of(batch.PART, subject))),
            share(batch.share_of_limit(run, subject)),
            share(batch.share_of_best(run, subject)),
        ]
        for subject in [*batch.DIRECT.values(), *batch.kinds_of(run)]
        if run.of(batch.PART, subject)
    ]
    note = (
        f"Directly: {batch.CONNECTIONS} connections, as many as the server uses, rows ready made. The database's own "
        "limit is that of statements with as many rows; beside it stands the share of the fastest direct calls."
    )
    return View("Batches", ["", "rows per second", "of the database's own limit", "of the fastest"], rows, note)


def peers(run: Run) -> View:
    """Align against another time tracker."""
    ours = run.of(peer.PART, single.FRESH)
    rows = [
        [peer.SUBJECT, str(connections), figure(rate(found)), times(rate_ratio(ours, found))]
        for connections in run.connection_counts(peer.PART, peer.SUBJECT)
        if (found := run.of(peer.PART, peer.SUBJECT, connections))
    ]
    if rows:
        rows.append([single.FRESH, str(ours[0].connections) if ours else NOTHING, figure(rate(ours)), NOTHING])
    note = "Each answers after its write is durable: the peer to SQLite, one record; Align link, entry and event."
    return View("A peer", ["", "connections", "per second", "Align / peer"], rows, note)


def deliveries(run: Run) -> View:
    """Webhooks: deliveries of a backlog and of lone syncs, and syncs with and without."""
    subjects = (webhooks.BACKLOG, webhooks.IDLE, webhooks.WITHOUT, webhooks.WITH)
    rows = []
    for subject in subjects:
        if found := run.of(webhooks.PART, subject):
            cells = _rate_and_latencies(found)
            # Lone syncs come as seldom as they are sent: their rate says nothing.
            rows.append([subject, NOTHING if subject == webhooks.IDLE else cells[0], *cells[1:]])
    note = (
        f"A receiver in a process of its own, on the same machine. Syncs: {webhooks.CONNECTIONS} connections, taking "
        f"turns; with a webhook they run at {share(webhooks.share_kept(run))} of the rate without."
    )
    return View("Webhooks", ["", "per second", "p50 ms", "p99 ms"], rows, note)


def growth_of(run: Run) -> View:
    """Syncs with many stored entries against syncs with none."""
    rows = [[growth.EMPTY, "0", *_rate_and_latencies(run.of(growth.PART, growth.EMPTY)), "", ""]]
    rows += [
        [
            subject,
            f"{stored:,}",
            *_rate_and_latencies(growth.at(run, stored, subject)),
            share(growth.rate_after(run, stored, subject)),
            times(growth.p99_after(run, stored, subject)),
        ]
        for stored in sorted({it.stored for it in run.samples if it.part == growth.PART and it.stored})
        for subject in (growth.WITHOUT_STATISTICS, growth.ANALYZED)
    ]
    columns = ["", "stored", "per second", "p50 ms", "p99 ms", "rate against none", "p99 against none"]
    note = f"{growth.CONNECTIONS} connections; an empty and a growing database take turns on the same machine."
    return View("Growth", columns, rows if len(rows) > 1 else [], note)


def _rate_and_latencies(found: Sequence[Sample]) -> list[str]:
    middle = spread([it.p50_milliseconds for it in found if it.p50_milliseconds is not None])
    last = spread([it.p99_milliseconds for it in found if it.p99_milliseconds is not None])
    return [figure(rate(found)), figure(middle, 1), figure(last, 1)]


def sizes(run: Run) -> View:
    """Memory and tables."""
    rows = [
        [it.subject, f"{it.at:,} stored entries", f"{it.bytes / 1000**2:,.1f} MB"]
        for it in run.readings
        if it.part == growth.PART
    ]
    if ends := memory.ends(run):
        rows += [[SERVER_MEMORY, f"{it.at:,} requests", f"{it.bytes / 1000**2:,.1f} MB"] for it in ends]
    peaks = [it.bytes for it in run.readings if it.subject == PEAK_MEMORY]
    if peaks:
        rows.append([PEAK_MEMORY, "in the whole run", f"{max(peaks) / 1000**2:,.1f} MB"])
    return View("Sizes", ["", "at", ""], rows)
