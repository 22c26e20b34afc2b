"""The structure that docs/architecture.md describes, held against the code."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import align

SOURCE = Path(align.__file__).parent
MODULES = sorted(SOURCE.rglob("*.py"))

# From the bottom up: a layer imports from its own and from lower ones.
LAYERS = (
    ("settings", "sealing", "errors", "ids", "names", "external_names", "refusals", "roles", "reasons"),
    ("db",),
    ("web",),
    ("events",),
    ("access",),
    ("links",),
    ("organizations",),
    ("users",),
    ("projects",),
    ("invitations",),
    ("tickets",),
    ("api_keys",),
    ("time_entries",),
    ("reconciliation",),
    ("changes",),
    ("webhooks",),
    ("demo",),
    ("app",),
    ("server",),
    ("cli",),
)
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}

MAXIMUM_FILE_LINES = 300
MAXIMUM_FUNCTION_LINES = 40
# Tables of data, not logic: each entry is one operation.
LONG_FUNCTIONS = {
    "time_entries/api.py": {"_sync", "_sync_batch"},
    "webhooks/api.py": {"_reading", "_changing", "_sending"},
}


def package_of(path: Path) -> str:
    first = path.relative_to(SOURCE).parts[0]
    return first.removesuffix(".py")


def imported(path: Path) -> Iterator[str]:
    """The first names below `align` that a module imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names] if node.module == "align" else [node.module]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            if name.startswith("align."):
                yield name.split(".")[1]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_point_downwards(path):
    own = package_of(path)
    if own in ("__init__", "__main__"):
        return
    known = {name for name in imported(path) if name != "__version__"}
    assert known <= RANK.keys()
    assert {name for name in known if RANK[name] > RANK[own]} == set()


def test_every_package_has_a_layer():
    packages = {package_of(path) for path in MODULES} - {"__init__", "__main__"}
    assert packages == set(RANK)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_files_and_functions_stay_small(path):
    text = path.read_text("utf-8")
    exempt = LONG_FUNCTIONS.get(str(path.relative_to(SOURCE)), set())
    long = {
        node.name: node.end_lineno - body[0].lineno + 1
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if node.name not in exempt and node.end_lineno - (body := node.body)[0].lineno + 1 > MAXIMUM_FUNCTION_LINES
    }
    assert long == {}
    assert len(text.splitlines()) <= MAXIMUM_FILE_LINES


def queries() -> Iterator[tuple[str, str]]:
    for path in sorted(SOURCE.rglob("*.sql")):
        if path.parent.name == "migrations":
            continue
        parts = re.split(r"^-- name: (\w+)\s*$", path.read_text("utf-8"), flags=re.MULTILINE)
        yield from (
            (f"{path.relative_to(SOURCE)}:{name}", text) for name, text in zip(parts[1::2], parts[2::2], strict=True)
        )


@pytest.mark.parametrize(("name", "text"), list(queries()), ids=[name for name, _ in queries()])
def test_every_query_names_its_organisation_or_says_why_not(name, text):
    statement = re.sub(r"--.*", "", text)
    assert "organization_id" in statement or re.search(r"-- crosses tenants: \w+", text)


def sql_in(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value.strip().lower()
            if re.match(
                r"select\b|insert into \w+|update \w+ set\b|delete from|(create|drop|alter) (database|table|index)\b",
                text,
            ):
                yield node.value.strip()


# Statements about the server itself, not about anybody's data.
SQL_IN_PYTHON = {
    "db/embedded.py": "whether our database exists, and making it",
    "db/migrate.py": "the lock around migrations, and which of them were applied",
    "web/pages.py": "whether the database answers",
}


def test_sql_lies_in_sql_files():
    found = {str(path.relative_to(SOURCE)): list(sql_in(path)) for path in MODULES}
    assert {path for path, texts in found.items() if texts} <= set(SQL_IN_PYTHON), found


def test_nothing_is_loaded_from_another_host():
    for path in [*SOURCE.rglob("*.html"), *SOURCE.rglob("*.js"), *SOURCE.rglob("*.css")]:
        assert re.findall(r"(?:https?:)?//[a-z0-9.-]+", re.sub(r"//\s.*", "", path.read_text("utf-8"))) == []
