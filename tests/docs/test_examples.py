"""Every example of the documentation is run as it stands, and answers what the documentation shows."""

import shutil

import pytest

from tests.docs.markdown import DOCUMENTS, ROOT, blocks

WITH_EXAMPLES = [
    "README.md",
    "docs/quick-start.md",
    "docs/senders-guide.md",
    "docs/receivers-guide.md",
    "docs/changes.md",
    "docs/reconciliation.md",
    "docs/api.md",
    "docs/cli.md",
    "docs/life-cycle.md",
    "docs/time-entries.md",
    "docs/keys.md",
    "docs/people-and-projects.md",
]
RUNNABLE = ("sh", "python", "http")


@pytest.mark.skipif(shutil.which("curl") is None, reason="the examples are written for curl")
@pytest.mark.parametrize("name", WITH_EXAMPLES)
async def test_the_examples_of_a_document_work(reader, name):
    path = ROOT / name
    assert reader(path) == sum(block.marker.startswith("run") for block in blocks(path)) > 0


@pytest.mark.parametrize("path", [ROOT / name for name in WITH_EXAMPLES], ids=WITH_EXAMPLES)
def test_every_example_is_run_or_says_why_not(path):
    markers = ("run", "answer", "file ", "not run: ")
    for block in blocks(path):
        is_commands_of_make = all(line.startswith("make ") for line in block.text.splitlines())
        if block.language in RUNNABLE and not is_commands_of_make:
            assert block.marker.startswith(markers), f"{path.name}:{block.line} has no marker"


def test_no_other_document_has_examples_that_nobody_runs():
    for path in DOCUMENTS:
        if str(path.relative_to(ROOT)) not in WITH_EXAMPLES:
            assert not any(block.marker.startswith(("run", "answer")) for block in blocks(path)), path.name
