"""The search page in a real browser, over an index of page images."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.serve import made_pages
from tests.serve.browsing import CHROMIUM, DESKTOP, FIRST, PHONE, Visit, visiting
from tests.serve.made_search import CountingEngine

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium at /usr/bin/chromium")

ASKED = "/?q=why+is+the+pump+loud%3F&mode="
BUTTON = "Where the score comes from"


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Read, never write."""
    return made_pages.write_index(tmp_path_factory.mktemp("pictured"))


@pytest.fixture
def visit(browser: Browser, index: Path, tmp_path: Path) -> Iterator[Visit]:
    engine = CountingEngine(made_pages.model())
    with visiting(browser, index, tmp_path / "feedback", engine) as made:
        yield made


def open_hit(page: Page, source: str) -> None:
    """Open what was found in a source, and wait for its picture."""
    page.locator(".hit", has_text=source).first.locator("h3 a").click()
    page.wait_for_function(
        "() => document.querySelector('.passage.here .leaf img')?.naturalWidth > 0"
    )


def shares_shown(page: Page) -> list[float]:
    """The numbers of the table: of parts, thumbnail and text, and last their sum."""
    cells = page.locator(".passage.here .shares td:nth-child(2)").all_inner_texts()
    return [float(cell.replace("\u2212", "-")) for cell in cells]


def test_a_page_that_was_found_shows_itself_and_says_where_it_has_no_text(visit: Visit) -> None:
    page = visit.open(ASKED + "dense")
    page.wait_for_selector(FIRST)
    assert page.locator(".hit").count() == page.locator(".hit img.small").count() == 4
    assert page.locator(".snippet.none").all_inner_texts() == ["A page image without text"] * 2
    page.wait_for_function(
        "() => [...document.querySelectorAll('.hit img')].every((image) => image.naturalWidth > 0)"
    )


@pytest.mark.parametrize("size", [PHONE, DESKTOP])
@pytest.mark.parametrize("dark", [False, True])
def test_an_opened_page_shows_where_its_score_comes_from(
    visit: Visit, size: tuple[int, int], dark: bool
) -> None:
    page = visit.open(ASKED + "dense", size=size, dark=dark)
    page.wait_for_selector(FIRST)
    open_hit(page, "tall.png")
    here = page.locator(".passage.here")
    button = here.get_by_role("button", name=BUTTON)
    assert button.get_attribute("aria-pressed") == "false"
    assert not here.locator(".tile").first.is_visible()
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    # 330 x 420 in tiles of 64 pixels: two columns, three rows.
    assert here.locator(".tile b").all_inner_texts() == ["1", "2", "3", "4", "5", "6"]
    names = here.locator(".shares th").all_inner_texts()
    assert names[0] == "Part 1, top left"
    assert names[3] == "Part 4, middle right"
    assert names[6:8] == ["The whole page, seen small", "The page's text and the prompt"]
    *parts, together = shares_shown(page)
    assert sum(parts) == pytest.approx(together, abs=0.0005 * (len(parts) + 1))
    assert "not why" in here.locator(".shares p").inner_text()

    sheet, last = here.locator(".sheet").bounding_box(), here.locator(".tile").last.bounding_box()
    assert sheet is not None
    assert last is not None
    assert last["x"] + last["width"] == pytest.approx(sheet["x"] + sheet["width"], abs=3)
    assert last["height"] == pytest.approx(sheet["height"] / 3, abs=3)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_shares_are_shown_and_hidden_by_a_key_on_every_page(visit: Visit) -> None:
    page = visit.open(ASKED + "dense")
    page.wait_for_selector(FIRST)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.locator(".passage.here .where").wait_for()
    page.keyboard.press("w")
    assert page.locator(".passage.here .shares").is_visible()
    page.keyboard.press("j")
    page.wait_for_function(
        "() => document.querySelector('.passage.here .where')?.getAttribute('aria-pressed') === 'true'"
    )
    page.keyboard.press("w")
    assert not page.locator(".passage.here .shares").is_visible()
    page.keyboard.press("?")
    assert "where the score comes from" in page.get_by_role("dialog", name="Keys").inner_text()


def test_a_page_has_its_text_beside_its_picture_and_opens_at_its_place(visit: Visit) -> None:
    page = visit.open(ASKED + "lexical")
    page.wait_for_selector(FIRST)
    open_hit(page, "page 1")
    here = page.locator(".passage.here")
    place, frame = here.bounding_box(), page.locator("#viewer .scroll").bounding_box()
    assert place is not None
    assert frame is not None
    assert frame["y"] <= place["y"] + 1
    assert place["y"] < frame["y"] + frame["height"] / 2
    # By words alone there is no score by meaning to be explained.
    assert here.get_by_role("button", name=BUTTON).count() == 0
    here.get_by_text("Text of the page").click()
    marked = here.locator("mark").all_inner_texts()
    assert {"pump", "loud"} <= set(" ".join(marked).split())
    image = here.locator(".leaf img")
    assert image.get_attribute("alt") == "Page 1 as an image"


def test_pictures_come_from_the_service_itself_and_from_nowhere_else(visit: Visit) -> None:
    page = visit.open(ASKED + "dense")
    page.wait_for_selector(FIRST)
    sources = page.locator(".hit img").evaluate_all("all => all.map((image) => image.src)")
    pattern = re.escape(visit.base) + r"/v1/documents/[0-9a-f]{32}/pages/[0-9a-f]{32}/image\?index="
    assert all(re.match(pattern, source) for source in sources)
