"""The report in a real browser: on a phone nothing is out of reach, on a desk the width is used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.evaluate.made_results import saved
from tests.evaluate.report_page import everything

from biencoder.evaluate.report.page import write_report

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = Path("/usr/bin/chromium")
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium at /usr/bin/chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"]
        )
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    saved(folder / "results", *everything())
    return write_report([folder / "results"], folder / "report.html").path


def opened(browser: Browser, report: Path, width: int) -> Page:
    page = browser.new_page(viewport={"width": width, "height": 844})
    page.goto(report.as_uri())
    page.eval_on_selector_all("details", "all => all.forEach(each => { each.open = true })")
    return page


def test_on_a_phone_only_tables_scroll_and_their_first_column_stays(
    browser: Browser, report: Path
) -> None:
    page = opened(browser, report, 390)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    moved = page.eval_on_selector_all(
        ".scroll",
        """frames => frames.filter(f => f.scrollWidth > f.clientWidth).map(frame => {
            const left = e => Math.round(e.getBoundingClientRect().left);
            const cell = frame.querySelector('tbody tr > :first-child');
            const head = frame.querySelector('thead tr > :first-child');
            frame.scrollLeft = 10000;
            return [frame.scrollLeft > 0, left(cell) - left(frame), left(head) - left(frame)];
        })""",
    )
    assert len(moved) > 3
    assert all(place == [True, 0, 0] for place in moved)


def test_a_table_that_is_cut_has_a_shadow_at_its_edge(browser: Browser, report: Path) -> None:
    page = opened(browser, report, 390)
    painted = page.eval_on_selector_all(
        ".scroll", "all => all.map(each => getComputedStyle(each).backgroundAttachment)"
    )
    # Covers go with the content, shadows stay at the edge: where nothing is hidden, nothing shows.
    assert set(painted) == {"local, local, scroll, scroll"}


def test_on_a_desk_tables_take_the_whole_width_and_pictures_two_in_a_row(
    browser: Browser, report: Path
) -> None:
    page = opened(browser, report, 1280)
    assert page.evaluate("document.documentElement.scrollWidth") == 1280
    shares = page.eval_on_selector_all(
        ".scroll > table:not(.heat)",
        "all => all.map(t => t.offsetWidth / t.parentNode.clientWidth)",
    )
    assert min(shares) >= 0.99
    pictures = page.eval_on_selector_all(
        "#compression .picture", "all => all.map(each => each.offsetWidth)"
    )
    assert min(pictures) > 450


def test_the_interval_of_a_difference_is_seen_whole(browser: Browser, report: Path) -> None:
    page = opened(browser, report, 390)
    inside = page.eval_on_selector_all(
        "svg.difference",
        """all => all.map(picture => {
            const cell = picture.parentNode.getBoundingClientRect();
            const drawn = picture.getBoundingClientRect();
            const parts = [...picture.children].map(each => each.getBoundingClientRect());
            return drawn.right <= cell.right && drawn.left >= cell.left
                && parts.every(part => part.left >= drawn.left - 1 && part.right <= drawn.right + 1);
        })""",
    )
    assert inside
    assert all(inside)
