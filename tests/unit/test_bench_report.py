"""What the benchmark makes of its samples: which count, what is compared with what, and where results are written."""

import msgspec
import pytest
from bench import goals, growth, memory, pgbench, report, single, webhooks
from bench.load import CREATED, EXISTING, Result
from bench.processes import SERVER_MEMORY
from bench.samples import Goal, Reading, Run, Sample, best, rate_ratio

ONE_STATEMENT, THREE_INSERTS = pgbench.FORMS


def a_run(*samples: Sample, readings: tuple[Reading, ...] = ()) -> Run:
    return Run(
        created_at="2026-01-02T03:04:05+00:00",
        is_full=True,
        options={"ids": "random"},
        machine={"cores": "2"},
        versions={"python": "3.11"},
        database_settings={"fsync": "on"},
        samples=list(samples),
        readings=list(readings),
    )


def sample(subject: str, rate: int, **changes: object) -> Sample:
    members = {"part": "single", "round": 1, "connections": 64, "seconds": 1.0, "count": rate, **changes}
    return msgspec.convert({"subject": subject, **members}, Sample)


def result(**changes: int) -> Result:
    members = {"requests": 9, "microseconds": 1, "created": 9, "existing": 0, "other": 0, "first_other": 0, "lost": 0}
    return msgspec.convert({**members, "p50": 1, "p99": 1, "mean": 1.0, **changes}, Result)


def goal(run: Run, words: str) -> Goal:
    (found,) = [it for it in goals.judge(run) if words in it.name]
    return found


def test_a_measurement_is_sound_only_when_every_answer_has_the_expected_status() -> None:
    assert result().problem(CREATED) is None
    assert result(created=0, existing=9).problem(EXISTING) is None
    assert result(existing=1).problem(CREATED) == "1 answers were 200 where 201 was expected"
    assert result(existing=8, created=1).problem(EXISTING) == "1 answers were 201 where 200 was expected"
    assert "429" in str(result(other=2, first_other=429).problem(CREATED))
    assert "no answer" in str(result(lost=1).problem(CREATED))
    assert result(created=0).problem(CREATED) == "no request was answered"


def test_a_ratio_compares_only_what_was_measured_in_the_same_round() -> None:
    ours = [sample("ours", 100, round=1), sample("ours", 300, round=2), sample("ours", 999, round=4)]
    theirs = [sample("theirs", 100, round=2), sample("theirs", 50, round=1), sample("theirs", 1, round=3)]
    found = rate_ratio(ours, theirs)
    assert found is not None
    assert (found.least, found.median, found.greatest) == (2.0, 2.5, 3.0)


def test_a_sample_with_a_problem_is_never_counted_but_shown() -> None:
    broken = sample(single.FRESH, 10_000, round=2, problem="7 answers were neither 200 nor 201")
    run = a_run(sample(single.FRESH, 100), sample(ONE_STATEMENT, 100), broken)
    assert goal(run, "against pgbench at its best").found.startswith("1.00x;")
    assert "7 answers were neither 200 nor 201" in report.markdown(run)


def test_pgbench_counts_with_its_better_form_and_its_best_connection_count() -> None:
    run = a_run(
        sample(single.FRESH, 300),
        sample(ONE_STATEMENT, 150),
        sample(THREE_INSERTS, 100),
        sample(THREE_INSERTS, 200, connections=32),
        sample(ONE_STATEMENT, 120, connections=32),
    )
    assert {it.connections for it in best(run, "single", tuple(pgbench.FORMS))} == {32}
    found = goal(run, "against pgbench at its best")
    assert found.found.startswith("1.50x; 32 connections, pgbench, three inserts")
    assert found.reached is False


@pytest.mark.parametrize(("rate", "reached"), [(200, True), (199, False)])
def test_a_goal_is_reached_from_its_figure_on(rate: int, reached: bool) -> None:
    run = a_run(sample(single.FRESH, rate), sample(ONE_STATEMENT, 100))
    assert goal(run, "against pgbench at its best").reached is reached


def test_a_goal_without_samples_is_neither_reached_nor_missed() -> None:
    found = goals.judge(a_run())
    assert {it.reached for it in found} == {None}
    assert {it.found for it in found} == {goals.NOT_MEASURED}


@pytest.mark.parametrize(("rate", "p50", "share", "reached"), [(2000, 199.0, 90, True), (1999, 200.0, 89, False)])
def test_webhooks_are_judged_by_their_rate_their_delay_and_what_they_cost(
    rate: int, p50: float, share: int, reached: bool
) -> None:
    run = a_run(
        sample(webhooks.BACKLOG, rate, part=webhooks.PART, stored=20_000),
        sample(webhooks.IDLE, 100, part=webhooks.PART, p50_milliseconds=p50, p99_milliseconds=300.0),
        sample(webhooks.WITHOUT, 100, part=webhooks.PART),
        sample(webhooks.WITH, share, part=webhooks.PART),
    )
    for words in ("deliveries a second", "commit to arrival", "a webhook for all events"):
        assert goal(run, words).reached is reached, words
    text = report.markdown(run)
    assert f"| {webhooks.BACKLOG} | {rate:,} |" in text
    assert f"| {webhooks.IDLE} | - | {p50:.1f} | 300.0 |" in text
    assert f"at {share}% of the rate without" in text


@pytest.mark.parametrize(("stored", "reached"), [(goals.STORED, False), (1_000_000, None)])
def test_growth_is_judged_with_ten_million_entries_only(stored: int, reached: bool | None) -> None:
    run = a_run(
        sample(growth.EMPTY, 100, part=growth.PART, stored=0),
        sample(growth.ANALYZED, 50, part=growth.PART, stored=stored),
    )
    found = goal(run, "rate of single syncs")
    assert found.found.startswith("50%")
    assert found.reached is reached


@pytest.mark.parametrize(("last", "reached"), [(104, True), (106, False)])
def test_memory_is_flat_when_it_grows_little_after_the_first_tenth_of_the_requests(last: int, reached: bool) -> None:
    sizes = {0: 60, 99_999: 70, 100_000: 100, 500_000: 90, 1_000_000: last}
    readings = [Reading(part=memory.PART, subject=SERVER_MEMORY, at=at, bytes=size) for at, size in sizes.items()]
    assert goal(a_run(readings=tuple(readings)), "over a million").reached is reached


def test_results_replace_what_stands_between_the_markers_and_nothing_else() -> None:
    page = f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n"
    text = report.inserted(page, "new")
    assert text == f"before\n{report.BEGIN}\nnew\n{report.END}\nafter\n"
    assert report.inserted(text, "new") == text
    with pytest.raises(report.NoMarkers):
        report.inserted("a page without markers", "new")


def test_the_documentation_page_has_the_markers() -> None:
    assert report.BEGIN in report.inserted(report.PAGE.read_text("utf-8"), "new")


def test_a_kept_run_is_read_back_as_it_was_and_shows_its_figures() -> None:
    run = a_run(sample(single.FRESH, 1234), sample(single.CEILING, 2468))
    run.goals = goals.judge(run)
    assert msgspec.json.decode(msgspec.json.encode(run), type=Run) == run
    text = report.markdown(run)
    assert "| syncs, fresh pairs | 1,234 |" in text
    assert "| missed |" not in text
    assert "| 50%; 64 connections | reached |" in text
