"""What the documentation points at is there."""

import re

import pytest

from tests.docs.markdown import DOCUMENTS, ROOT, anchors, links

NAMES = [str(path.relative_to(ROOT)) for path in DOCUMENTS]


@pytest.mark.parametrize("path", DOCUMENTS, ids=NAMES)
def test_links_lead_somewhere(path):
    for link in links(path):
        if link.startswith(("https://", "http://")):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        assert target.exists(), f"{path.name} points at {link}"
        if anchor:
            assert anchor in anchors(target), f"{path.name} points at {link}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=NAMES)
def test_the_targets_of_make_exist(path):
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?:`|^)make ([a-z]+)", path.read_text("utf-8"), re.MULTILINE))
    assert named <= targets


def test_every_document_is_in_the_index():
    index = ROOT / "docs" / "README.md"
    linked = {(index.parent / link).resolve() for link in links(index)}
    decisions = (ROOT / "docs" / "decisions").resolve()
    for path in DOCUMENTS:
        if path.parent.resolve() != decisions and path.name != "README.md":
            assert path.resolve() in linked, path.name
    assert decisions in linked


def test_the_readme_begins_with_the_two_commands():
    text = (ROOT / "README.md").read_text("utf-8")
    assert [line.split("#")[0].strip() for line in text.splitlines()[3:5]] == ["make demo", "make test"]
