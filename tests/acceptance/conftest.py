"""Data directories: an empty one, and one with the demo's data."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.align import Align


@pytest.fixture
def align(tmp_path: Path) -> Iterator[Align]:
    """`align` on a data directory that does not exist yet."""
    made = Align(tmp_path)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, Any]]]:
    """A data directory with the demo's data, to be copied, since making one takes seconds; and what the demo said."""
    made = Align(tmp_path_factory.mktemp("template"))
    demo = made.json("demo", "--unlimited")
    assert made.postgres() is None
    yield made.data_dir, demo
    shutil.rmtree(made.data_dir)


@pytest.fixture
def demo(align: Align, template: tuple[Path, dict[str, Any]]) -> dict[str, Any]:
    """Ids and keys of the demo's data, which `align` has."""
    subprocess.run(["cp", "-a", template[0], align.data_dir], check=True)
    return template[1]
