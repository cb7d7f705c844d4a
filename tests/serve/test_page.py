"""The search page in a real browser: what a person does there, by mouse and by keys."""

from __future__ import annotations

import json
import re
import time
import zipfile
from pathlib import Path

import pytest
from tests.commands import run
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

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium at /usr/bin/chromium")


def test_a_question_is_asked_opened_judged_taken_away_and_evaluated(
    visit: Visit, tmp_path: Path
) -> None:
    page = visit.open()
    assert "7 documents" in page.inner_text("#about")
    ask(page)
    first = page.locator(FIRST)
    assert first.locator("h3 a").inner_text() == "Reset the kettle"
    assert first.locator("mark").all_inner_texts() == ["reset", "kettle"]

    first.locator("h3 a").click()
    here = page.locator("#viewer .passage.here")
    here.wait_for()
    assert "hold its red button" in here.inner_text()
    assert page.locator("#viewer h2").inner_text() == "Kettle"
    place, frame = here.bounding_box(), page.locator("#viewer .scroll").bounding_box()
    assert place is not None
    assert frame is not None
    assert frame["y"] <= place["y"] < frame["y"] + frame["height"] / 2
    assert page.locator("#viewer .scroll").evaluate("node => node.scrollTop") > 0

    first.get_by_label("It answers the question").click()
    wait_until_judged(page, "1")
    assert first.locator(".up").get_attribute("aria-pressed") == "true"

    page.get_by_role("button", name="Judgements").click()
    with page.expect_download() as taken:
        page.get_by_role("link", name="Download", exact=True).click()
    taken.value.save_as(tmp_path / "judgements.zip")
    zipfile.ZipFile(tmp_path / "judgements.zip").extractall(tmp_path / "out")
    code, out, err = run(
        *("evaluate", "--data", tmp_path / "out/judgements", "--json"),
        *("--output", tmp_path / "results"),
    )
    assert code == 0, err
    assert '"ndcg@10": 1.0' in json.dumps(json.loads(out))


def test_everything_can_be_done_by_keys(visit: Visit) -> None:
    page = visit.open()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.type(QUESTION)
    page.keyboard.press("Enter")
    page.wait_for_selector(FIRST)
    for key in "jjk":
        page.keyboard.press(key)
    current = page.locator(".hit.current")
    assert current.locator(".rank").inner_text().startswith("1")
    page.keyboard.press("u")
    wait_until_judged(page, "1")
    assert current.locator(".up").get_attribute("aria-pressed") == "true"
    page.keyboard.press("j")
    page.keyboard.press("d")
    wait_until_judged(page, "2")
    assert current.locator(".down").get_attribute("aria-pressed") == "true"
    page.keyboard.press("d")
    wait_until_judged(page, "1")
    page.keyboard.press("Enter")
    page.locator("#viewer .passage.here").wait_for()
    page.keyboard.press("k")
    page.wait_for_function(
        "() => document.querySelector('.passage.here')?.innerText.includes('red button')"
    )
    page.keyboard.press("Escape")
    page.locator("#viewer").wait_for(state="hidden")
    assert page.evaluate("document.activeElement.closest('.hit') !== null")
    page.keyboard.press("?")
    assert page.get_by_role("dialog", name="Keys").is_visible()


def test_no_text_of_a_document_is_ever_html(visit: Visit) -> None:
    page = visit.open()
    ask(page, "how do walruses greet browsers?")
    assert "<script>" in page.locator(FIRST).locator(".snippet").inner_text()
    page.locator(FIRST).locator("h3 a").click()
    page.locator("#viewer .passage.here").wait_for()
    assert "<script>document.title" in page.locator("#viewer .passage.here").inner_text()
    assert page.locator("main img, #viewer img, #viewer script").count() == 0
    assert "owned" not in page.title()


def test_a_question_may_hold_markup_and_stays_a_question(visit: Visit) -> None:
    page = visit.open()
    question = "<img src=x onerror=alert(1)> kettle"
    ask(page, question)
    page.keyboard.press("j")
    page.keyboard.press("u")
    wait_until_judged(page, "1")
    page.get_by_role("button", name="Judgements").click()
    page.get_by_role("button", name=question).wait_for()
    assert page.locator("main img, dialog img").count() == 0


def test_filters_are_chips_that_go_with_the_address(visit: Visit) -> None:
    page = visit.open()
    ask(page, "lamps and moths")
    page.get_by_role("button", name="Filter").click()
    dialog = page.get_by_role("dialog", name="Only passages where")
    dialog.get_by_label("Column").select_option("year")
    dialog.get_by_label("Condition").select_option(">")
    dialog.get_by_label("Value").fill("many")
    dialog.get_by_role("button", name="Add").click()
    assert dialog.get_by_role("alert").inner_text() == "Give a whole number."
    dialog.get_by_label("Value").fill("2000")
    dialog.get_by_role("button", name="Add").click()
    page.wait_for_function("() => document.querySelectorAll('.hit').length === 1")
    assert page.locator(FIRST).locator("h3 a").inner_text() == "Moths"
    page.reload()
    page.wait_for_function("() => document.querySelectorAll('.hit').length === 1")
    page.get_by_role("button", name="Remove the filter: year above 2000").click()
    page.wait_for_function("() => document.querySelectorAll('.hit').length > 1")


def test_two_ways_stand_beside_each_other_and_what_moved_is_marked(visit: Visit) -> None:
    page = visit.open()
    ask(page)
    page.get_by_role("button", name="Compare").click()
    page.wait_for_selector(".lane:nth-child(2) .hit")
    right = page.locator(".lane:nth-child(2)")
    assert right.get_by_label("Dense").is_checked()
    left_texts = page.locator(".lane:first-child h3 a").all_inner_texts()
    marks = right.locator(".moved").all_inner_texts()
    for title, mark, rank in zip(
        right.locator("h3 a").all_inner_texts(), marks, range(1, 11), strict=False
    ):
        if title in left_texts and left_texts.count(title) == 1:
            by = left_texts.index(title) + 1 - rank
            expected = "=" if by == 0 else f"{'↑' if by > 0 else '↓'}{abs(by)}"
            assert mark == expected
    page.reload()
    page.wait_for_selector(".lane:nth-child(2) .hit")


def test_back_goes_back_and_an_address_can_be_sent(visit: Visit) -> None:
    page = visit.open()
    ask(page)
    page.locator(FIRST).locator("h3 a").click()
    page.locator("#viewer .passage.here").wait_for()
    sent = page.url.removeprefix(visit.base)
    page.go_back()
    page.locator("#viewer").wait_for(state="hidden")
    assert page.locator(FIRST).is_visible()
    page.go_back()
    page.wait_for_selector("body.start")
    other = visit.open(sent)
    assert "red button" in other.locator("#viewer .passage.here").inner_text()
    assert other.get_by_label("Your question").input_value() == QUESTION


@pytest.mark.parametrize("size", [PHONE, DESKTOP])
@pytest.mark.parametrize("dark", [False, True])
def test_nothing_is_wider_than_the_window_and_everything_has_a_name(
    visit: Visit, size: tuple[int, int], dark: bool
) -> None:
    page = visit.open(size=size, dark=dark)
    for step in ("start", "found", "beside", "open"):
        if step == "found":
            ask(page)
        if step == "beside":
            page.get_by_role("button", name="Compare").click()
            page.wait_for_selector(".lane:nth-child(2) .hit")
        if step == "open":
            page.locator(FIRST).locator("h3 a").click()
            page.locator("#viewer .passage.here").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), step
        nameless = page.evaluate(
            """() => [...document.querySelectorAll("button, a, input, select")].filter((node) =>
                 !(node.innerText || "").trim() && !node.getAttribute("aria-label") && !node.labels?.length
               ).map((node) => node.outerHTML)"""
        )
        assert nameless == [], step
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    lightness = [int(part) for part in re.findall(r"\d+", paper)]
    assert max(lightness) < 60 if dark else min(lightness) > 200


def test_a_long_document_comes_piece_by_piece(visit: Visit) -> None:
    page = visit.open()
    # So few passages at once that the kettle's nine need several answers.
    page.route(
        re.compile(r"/v1/documents/\w+\?"),
        lambda route: route.continue_(url=route.request.url.replace("limit=200", "limit=3")),
    )
    ask(page)
    page.locator(FIRST).locator("h3 a").click()
    page.locator("#viewer .passage.here").wait_for()
    shown = page.locator("#viewer .passage")
    assert shown.count() == 3
    while page.get_by_role("button", name="Later in the document").is_visible():
        before = shown.count()
        page.get_by_role("button", name="Later in the document").click()
        page.wait_for_function(
            "n => document.querySelectorAll('#viewer .passage').length > n", arg=before
        )
    page.get_by_role("button", name="Earlier in the document").click()
    page.get_by_role("button", name="Earlier in the document").wait_for(state="hidden")
    headings = page.locator("#viewer .passage .h2").all_inner_texts()
    parts = [f"Part {number}" for number in range(1, 9)]
    assert headings == [*parts[:4], "Reset the kettle", *parts[4:]]


def test_colours_turn_and_are_kept(visit: Visit) -> None:
    page = visit.open()
    for name in ("light", "dark"):
        page.locator("#theme").click()
        assert page.locator("#theme").get_attribute("aria-label") == f"Colours: {name}"
    page.reload()
    assert page.locator("html").get_attribute("data-theme") == "dark"


def test_what_went_wrong_is_said_and_can_be_tried_again(visit: Visit) -> None:
    page = visit.open()
    answers = {"left": 1}

    def refuse_once(route: object) -> None:
        from playwright.sync_api import Route

        assert isinstance(route, Route)
        if answers["left"]:
            answers["left"] -= 1
            route.abort()
        else:
            route.continue_()

    page.route("**/v1/search", refuse_once)
    page.get_by_label("Your question").fill(QUESTION)
    page.keyboard.press("Enter")
    alert = page.get_by_role("alert")
    alert.wait_for()
    assert "The service does not answer" in alert.inner_text()
    page.get_by_role("button", name="Try again").click()
    page.wait_for_selector(FIRST)
    assert all("ERR_FAILED" in said for said in visit.complaints)
    visit.complaints.clear()


def test_a_busy_service_is_asked_again_by_itself(visit: Visit) -> None:
    page = visit.open()
    busy = json.dumps({"error": {"message": "Search is overloaded", "code": "overloaded"}})
    page.route(
        "**/v1/search",
        lambda route: route.fulfill(
            status=429, body=busy, headers={"retry-after": "1", "content-type": "application/json"}
        ),
        times=1,
    )
    page.get_by_label("Your question").fill(QUESTION)
    began = time.monotonic()
    page.keyboard.press("Enter")
    page.get_by_text("Trying again in 1 second.").wait_for()
    page.wait_for_selector(FIRST)
    assert time.monotonic() - began >= 1
    assert all("429" in said for said in visit.complaints)
    visit.complaints.clear()


def test_nothing_found_is_said_with_a_way_on(visit: Visit) -> None:
    page = visit.open("/?q=zyzzogeton&mode=lexical")
    page.get_by_text("Nothing was found").wait_for()
    page.get_by_role("button", name="Search by meaning").click()
    page.wait_for_selector(FIRST)
    assert page.get_by_label("Dense").is_checked()
