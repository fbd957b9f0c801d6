"""The tour: its text is what its code gives, its pictures are there and small, and its links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import pytest

from tests.recipe import load_script

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    return load_script(DOCS / "tour.py", "tour")


@pytest.mark.long
def test_tour_is_what_its_code_gives(generator: ModuleType, tmp_path: Path) -> None:
    assert generator.main(["--out", str(tmp_path / "new")]) == 0
    made = (tmp_path / "new" / "tour.md").read_text(encoding="utf-8")
    assert made == (DOCS / "tour.md").read_text(encoding="utf-8")
    # Pictures may differ in a bit from one build of matplotlib to the next; their names and sizes may not.
    committed = {path.name: path.read_bytes()[:24] for path in DOCS.glob("*.png")}
    assert {path.name: path.read_bytes()[:24] for path in (tmp_path / "new").glob("*.png")} == committed
    assert 6 <= len(committed) <= 8


def test_pictures_are_small_and_shown() -> None:
    text = (DOCS / "tour.md").read_text(encoding="utf-8")
    pictures = sorted(DOCS.glob("*.png"))
    assert [path.name for path in pictures] == sorted(re.findall(r"!\[.+\]\((.+\.png)\)", text))
    assert all(path.stat().st_size < 80_000 for path in pictures)
    assert sum(path.stat().st_size for path in DOCS.iterdir() if path.is_file()) < 700_000


def test_links_lead_somewhere() -> None:
    text = (DOCS / "tour.md").read_text(encoding="utf-8")
    # As sites that show markdown make an anchor of a title: small letters, no punctuation, hyphens for spaces.
    titles = re.findall(r"^## (.+)$", text, re.MULTILINE)
    anchors = {"#" + re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert len(links) > 20
    for link in links:
        assert link in anchors or (DOCS / link).is_file(), link
    assert "docs/tour.md" in (DOCS.parent / "README.md").read_text(encoding="utf-8")


def test_values_and_printed_lines_come_from_the_code(generator: ModuleType) -> None:
    names: dict[str, object] = {}
    assert generator.run_block("a = 2\nprint(a + 1)\n", names, "block") == "3\n"
    assert generator.with_values("{{a}} and {{a / 3:.2f}}", names) == "2 and 0.67"
    with pytest.raises(ZeroDivisionError):
        generator.run_block("1 / 0\n", names, "block")
