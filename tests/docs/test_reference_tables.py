"""Commands, metrics, operations, variables and the version in the documentation are those of the program."""

import re
from collections.abc import Iterator

import httpx
import pytest
import typer
from prometheus_client import Counter, Gauge, Histogram

from align import __version__
from align.cli import app
from align.roles import PERMISSIONS
from align.settings import Settings
from align.web import metrics
from tests.docs.markdown import DOCUMENTS, ROOT, headings, section, table

CLI = ROOT / "docs" / "cli.md"
COMMON_OPTIONS = {"--data-dir", "--json"}


def commands() -> dict[str, set[str]]:
    """Every command that the help shows, with its options."""

    def walk(command: object, name: str) -> Iterator[tuple[str, set[str]]]:
        inner = getattr(command, "commands", None)
        if inner is None:
            yield name, {option for it in command.params for option in it.opts if option.startswith("--")}
            return
        for word, each in inner.items():
            if not each.hidden:
                yield from walk(each, f"{name} {word}")

    return dict(walk(typer.main.get_command(app), "align"))


def test_every_command_has_its_section():
    assert {it.removeprefix("## ") for it in headings(CLI) if it.startswith("## align ")} == set(commands())


@pytest.mark.parametrize("name", commands())
def test_the_section_of_a_command_names_its_options(name):
    text = section(CLI, f"## {name}")
    usage = text.split("```")[1]
    assert name in usage
    own = commands()[name] - COMMON_OPTIONS
    assert set(re.findall(r"--[a-z-]+", usage)) - COMMON_OPTIONS == own
    if own:
        assert {row[0].split(" ")[0] for row in table(text)} == own
    # They print no value, or open no database.
    if name not in ("align serve", "align worker", "align reconcile"):
        assert commands()[name] >= COMMON_OPTIONS


def test_the_table_of_metrics_is_what_the_server_counts():
    expected = []
    for metric in vars(metrics).values():
        if isinstance(metric, Counter | Gauge | Histogram):
            described = metric.describe()[0]
            name = f"{described.name}_total" if isinstance(metric, Counter) else described.name
            labels = ", ".join(f"`{label}`" for label in metric._labelnames)
            expected.append([name, described.type, labels, described.documentation])
    shown = table(section(ROOT / "docs" / "operations.md", "## Metrics"))
    assert [[row[0], row[1], row[2] and f"`{row[2].strip('`')}`", row[3]] for row in shown] == expected


async def test_the_table_of_operations_is_the_openapi_documents(base_url):
    async with httpx.AsyncClient() as client:
        document = (await client.get(f"{base_url}/api/v1/openapi.json")).json()
    expected = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    shown = table(section(ROOT / "docs" / "api.md", "## Operations"))
    assert {(row[0], row[1]) for row in shown} == expected
    assert len(shown) == len(expected)


def test_the_table_of_permissions_is_what_keys_may_be_given():
    shown = table(section(ROOT / "docs" / "keys.md", "## Permissions"))
    assert [row[0] for row in shown] == list(PERMISSIONS)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_variable_that_is_named_is_a_setting(path):
    named = set(re.findall(r"\bALIGN_[A-Z][A-Z_]*[A-Z]\b", path.read_text("utf-8")))
    assert named <= {f"ALIGN_{name.upper()}" for name in Settings.__struct_fields__}


def test_the_changelog_begins_with_this_version():
    versions = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert versions[0] == __version__
