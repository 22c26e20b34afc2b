"""Nothing in the program names another host, but for examples in what people read."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import align

SOURCE = Path(align.__file__).parent
HOST = re.compile(r"\b[a-z+]{2,12}://([A-Za-z0-9.@:-]*[A-Za-z0-9])")

# Examples for people: nothing connects to them.
EXAMPLES = {
    "settings.py": {"align@db.internal", "user@host", "host:6379"},
    "cli/database.py": {"user@host"},
    "db/migrate.py": {"user@host"},
    "webhooks/examples.py": {"example.com"},
    "webhooks/requests.py": {"example.com"},
    "webhooks/api.py": {"example.com"},
}


def hosts_in(path: Path) -> Iterator[str]:
    """The hosts named in the strings of a module, its documentation included."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from HOST.findall(node.value)


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_module_names_no_host_but_examples(path):
    assert set(hosts_in(path)) == EXAMPLES.get(str(path.relative_to(SOURCE)), set())
