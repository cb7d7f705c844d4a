"""The search page while the service is slow, away or at work: nothing is judged or lost by accident."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.serve.browsing import (
    CHROMIUM,
    DESKTOP,
    FIRST,
    PHONE,
    Visit,
    ask,
    wait_until_judged,
)
from tests.serve.made_search import QUESTION

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium at /usr/bin/chromium")

SEARCH, FEEDBACK = "**/v1/search", "**/v1/feedback"
UP, DOWN = f"{FIRST} .thumb.up", f"{FIRST} .thumb.down"


def held(page: Page, address: str, method: str = "POST") -> list[Route]:
    """Requests that wait until a test lets them go on."""
    waiting: list[Route] = []

    def hold(route: Route) -> None:
        if route.request.method == method:
            waiting.append(route)
        else:
            route.continue_()

    page.route(address, hold)
    return waiting


def kept(visit: Visit, page: Page) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = page.request.get(f"{visit.base}/v1/feedback").json()["questions"]
    return found


def pressed(page: Page, thumb: str) -> bool:
    return page.get_attribute(thumb, "aria-pressed") == "true"


def focused(page: Page, selector: str) -> bool:
    found: bool = page.evaluate("selector => document.activeElement.matches(selector)", selector)
    return found


def test_an_older_list_is_judged_for_the_question_that_found_it(visit: Visit) -> None:
    page = visit.open()
    ask(page)
    waiting = held(page, SEARCH)
    page.get_by_label("Your question").fill("where do bees dance?")
    with page.expect_request(SEARCH):
        page.keyboard.press("Enter")
    page.wait_for_selector('.lane[aria-busy="true"] .hit')
    page.click(UP)
    wait_until_judged(page, "1")
    assert kept(visit, page) == [{"query": QUESTION, "relevant": 1, "irrelevant": 0}]
    page.click(f"{FIRST} h3 a")
    page.locator("#viewer .verdict").get_by_text(f"Number 1 for “{QUESTION}”").wait_for()
    (search,) = waiting
    search.continue_()
    page.get_by_role("link", name="bees.txt").wait_for()
    assert not pressed(page, UP)


def test_the_last_of_quick_grades_is_the_one_that_is_kept(visit: Visit) -> None:
    page = visit.open()
    ask(page)
    waiting = held(page, FEEDBACK)
    page.click(UP)
    page.click(DOWN)
    assert (pressed(page, UP), pressed(page, DOWN)) == (False, True)
    # A second request would be on its way by now.
    page.evaluate("fetch('v1/health/live').then((answer) => answer.text())")
    while not waiting:
        page.wait_for_timeout(10)
    assert [json.loads(route.request.post_data or "")["grade"] for route in waiting] == [1]
    waiting[0].continue_()
    while len(waiting) < 2:
        page.wait_for_timeout(10)
    waiting[1].continue_()
    page.get_by_text("Kept: it does not answer.").wait_for(state="attached")
    assert kept(visit, page) == [{"query": QUESTION, "relevant": 0, "irrelevant": 1}]
    assert (pressed(page, UP), pressed(page, DOWN)) == (False, True)


def test_what_could_not_be_kept_is_not_shown_as_kept(visit: Visit) -> None:
    page = visit.open()
    ask(page)
    full = {"error": {"message": "the disk is full", "code": "index_error"}}
    page.route(FEEDBACK, lambda route: route.fulfill(status=500, json=full), times=2)
    page.click(UP)
    page.click(DOWN)
    page.get_by_role("alert").get_by_text("Not kept: the disk is full").first.wait_for()
    page.wait_for_function(
        "() => !document.querySelector('.thumb[aria-pressed=true]')", timeout=5000
    )
    page.click(UP)
    wait_until_judged(page, "1")
    assert pressed(page, UP)
    assert len(visit.complaints) == 2
    assert all("500" in said for said in visit.complaints)
    visit.complaints.clear()


def test_judging_while_reading_moves_neither_the_reader_nor_the_keyboard(visit: Visit) -> None:
    page = visit.open()
    ask(page)
    page.click(f"{FIRST} h3 a")
    page.locator("#viewer .passage.here").wait_for()
    scroll = page.locator("#viewer .scroll")
    assert scroll.evaluate("node => node.scrollTop") > 0
    scroll.evaluate("node => { node.scrollTop = 0; }")
    page.locator("#viewer .verdict .up").focus()
    page.keyboard.press("Enter")
    wait_until_judged(page, "1")
    assert page.inner_text("#status") == "Kept: it answers the question."
    assert focused(page, "#viewer .verdict .up[aria-pressed=true]")
    assert scroll.evaluate("node => node.scrollTop") == 0
    assert pressed(page, UP)


def test_judging_in_a_list_keeps_the_keyboard_where_it_is(visit: Visit) -> None:
    page = visit.open()
    ask(page)
    page.focus(DOWN)
    page.keyboard.press("Enter")
    wait_until_judged(page, "1")
    assert focused(page, f"{DOWN}[aria-pressed=true]")


@pytest.mark.parametrize("size", [PHONE, DESKTOP])
def test_an_opened_document_has_the_keyboard_and_gives_it_back(
    visit: Visit, size: tuple[int, int]
) -> None:
    page = visit.open(size=size)
    ask(page)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.locator("#viewer .passage.here").wait_for()
    assert focused(page, "#viewer h2")
    assert page.inner_text("#viewer h2") == "Kettle"
    covered = size == PHONE
    assert page.evaluate("document.querySelector('main').inert") == covered
    if covered:
        for _ in range(12):
            page.keyboard.press("Tab")
            assert page.evaluate("document.activeElement.closest('main, .top, .skip') === null")
        page.set_viewport_size({"width": DESKTOP[0], "height": DESKTOP[1]})
        page.wait_for_function("() => !document.querySelector('main').inert")
        page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
        page.wait_for_function("() => document.querySelector('main').inert")
        page.locator("#viewer h2").focus()
    page.keyboard.press("u")
    wait_until_judged(page, "1")
    page.keyboard.press("Escape")
    page.locator("#viewer").wait_for(state="hidden")
    assert focused(page, f"{FIRST} h3 a")
    assert not page.evaluate("document.querySelector('main').inert")


def test_a_service_that_is_away_at_the_beginning_is_asked_again_by_the_person(visit: Visit) -> None:
    page = visit.open()
    page.route(SEARCH, lambda route: route.abort(), times=2)
    page.reload()
    page.wait_for_selector("body[data-ready]")
    alert = page.get_by_role("alert")
    assert "The service does not answer" in alert.inner_text()
    page.keyboard.press("Escape")
    for key in "fc":
        page.keyboard.press(key)
    assert page.locator("dialog[open]").count() == 0
    with page.expect_event("requestfailed"):
        page.get_by_role("button", name="Try again").click()
    assert alert.count() == 1
    ask(page)
    assert "7 documents" in (page.text_content("#about") or "")
    page.keyboard.press("Escape")
    page.keyboard.press("f")
    assert page.get_by_role("dialog", name="Only passages where").is_visible()
    assert all("ERR_FAILED" in said for said in visit.complaints)
    visit.complaints.clear()


def test_a_service_that_is_being_made_ready_is_waited_for(visit: Visit) -> None:
    page = visit.open()
    told = {"error": {"message": "The models are being made ready", "code": "not_ready"}}
    page.route(
        SEARCH,
        lambda route: route.fulfill(status=503, json=told, headers={"retry-after": "1"}),
        times=2,
    )
    page.goto(f"{visit.base}/?q=kettle")
    page.get_by_text("Trying again in 1 second.").wait_for()
    assert "Not ready yet" in page.get_by_role("alert").inner_text()
    page.wait_for_selector(FIRST)
    assert page.get_by_role("alert").count() == 0
    assert [("503" in said) for said in visit.complaints] == [True, True]
    visit.complaints.clear()
