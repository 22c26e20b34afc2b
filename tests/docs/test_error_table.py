"""The codes that the sender's guide explains are the codes that there are."""

import ast
from pathlib import Path

import align
from align.errors import CATALOGUE
from tests.docs.markdown import ROOT, section, table

GUIDE = ROOT / "docs" / "senders-guide.md"


def test_the_table_of_codes_is_the_catalogue():
    rows = [[f"`{name}`", str(code.status), code.meaning] for name, code in CATALOGUE.items()]
    expected = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    shown = [line for line in section(GUIDE, "## All error codes").splitlines() if line.startswith("| `")]
    count = len(rows)
    assert shown[:count] == expected.splitlines(), f"docs/senders-guide.md needs this table:\n{expected}"
    assert not set(shown[count:]) & set(expected.splitlines())


def test_every_code_has_an_advice_whether_to_repeat():
    advised = section(GUIDE, "## When to repeat")
    # Told by status only, or never met by a sender that uses a documented method and path.
    by_status = {code for code, it in CATALOGUE.items() if it.status in (405, 413, 415, 431)} | {"malformed_request"}
    missing = {code for code in CATALOGUE if f"`{code}`" not in advised} - by_status
    assert missing == set()
    for code, it in CATALOGUE.items():
        if code not in by_status:
            row = next(line for line in advised.splitlines() if f"`{code}`" in line and line.startswith("| "))
            assert row.startswith(f"| {it.status} "), row


def codes_of_problems() -> set[str]:
    """The codes in the source: arguments of Problem and Malformed, and what functions that look for problems return."""
    found = set()
    for path in Path(align.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                place = {"Problem": 1, "Malformed": 0}.get(node.func.id)
                if place is not None and len(node.args) > place and isinstance(node.args[place], ast.Constant):
                    found.add(node.args[place].value)
            if isinstance(node, ast.FunctionDef) and node.name.endswith(("_problem", "_rule")):
                found |= {each for each in strings(node) if each.islower() and " " not in each and each.isascii()}
    return found


def strings(function: ast.FunctionDef) -> set[str]:
    """The texts that a function returns, alone or first in a pair."""
    found = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Return) and node.value is not None:
            for inner in ast.walk(node.value):
                if isinstance(inner, ast.Tuple) and inner.elts:
                    found |= {part.value for part in ast.walk(inner.elts[0]) if isinstance(part, ast.Constant)}
                elif isinstance(node.value, ast.Constant | ast.IfExp) and isinstance(inner, ast.Constant):
                    found.add(inner.value)
    return {each for each in found if isinstance(each, str)}


def test_the_table_of_problem_codes_is_what_the_source_says():
    documented = {row[0] for row in table(section(GUIDE, "### Codes in details"))}
    assert documented == codes_of_problems()
