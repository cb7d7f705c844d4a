"""Pages in the engine: they share it with texts, cost what they cost, and hold no more than they may."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import numpy as np
import pytest
from tests.serve import made_pages
from tests.serve.engines import PATIENCE, run, served, until
from tests.serve.made_pages import TALL, WIDE, image, url

from biencoder.embedder.pages.cutting import cut_tiles
from biencoder.embedder.pages.page import Page
from biencoder.serve.engine.engine import Engine, SentPage
from biencoder.serve.engine.pages import PageRoom, WaitingPage
from biencoder.serve.errors import ApiError
from biencoder.types import FloatArray

PAGES = [SentPage(url(image(TALL, 1))), SentPage(url(image(WIDE, 2)), "Walruses sleep on ice.")]


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Pages are not opened before this is set."""
    opened = threading.Event()
    prepare = PageRoom.prepare

    def wait(room: PageRoom, job: Any, row: int) -> None:
        assert opened.wait(PATIENCE)
        prepare(room, job, row)

    monkeypatch.setattr(PageRoom, "prepare", wait)
    return opened


def wanted(*pages: SentPage) -> FloatArray:
    windows = made_pages.model().encode_pages([Page(page.image, page.text) for page in pages])
    return np.concatenate([window.vectors for window in windows])


def test_a_page_alone_on_an_idle_engine_has_the_librarys_bits() -> None:
    given = served(made_pages.model(), lambda engine: engine.embed_pages(PAGES[:1]))
    np.testing.assert_array_equal(given.vectors, wanted(PAGES[0]))
    assert given.images == 1


def test_pages_and_texts_of_many_callers_each_get_their_own() -> None:
    async def work(engine: Engine) -> list[Any]:
        return await asyncio.gather(
            *(engine.embed_pages([PAGES[turn % 2]]) for turn in range(6)),
            *(engine.embed([f"river {turn}"], role="document") for turn in range(6)),
            engine.embed(["why?"], role="query"),
        )

    answers = served(made_pages.model(), work)
    model = made_pages.model()
    for turn in range(6):
        assert np.abs(answers[turn].vectors - wanted(PAGES[turn % 2])).max() < 2e-6
        text = model.encode_documents([f"river {turn}"])
        assert np.abs(answers[6 + turn].vectors - text).max() < 2e-6
    assert np.abs(answers[12].vectors - model.encode_queries(["why?"])).max() < 2e-6


def test_a_question_does_not_wait_for_a_picture_to_be_opened(held: threading.Event) -> None:
    async def work(engine: Engine) -> None:
        page = asyncio.create_task(engine.embed_pages(PAGES))
        answer = await engine.embed(["why is the pump loud?"], role="query")
        assert len(answer.vectors) == 1
        assert not page.done()
        held.set()
        assert len((await page).vectors) == 2

    served(made_pages.model(), work)


def test_a_single_page_is_not_held_up_by_a_book(
    held: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[int] = []
    prepare = PageRoom.prepare

    def noted(room: PageRoom, job: Any, row: int) -> None:
        order.append(len(job.pages))
        prepare(room, job, row)

    monkeypatch.setattr(PageRoom, "prepare", noted)

    async def work(engine: Engine) -> None:
        book = asyncio.create_task(engine.embed_pages(PAGES * 4))
        await until(lambda: order == [8])
        single = asyncio.create_task(engine.embed_pages(PAGES[:1]))
        await until(lambda: len(engine._jobs) == 2)
        held.set()
        await asyncio.gather(book, single)
        assert order == [8, 8, 1, *[8] * 6]

    served(made_pages.model(), work, max_queued_tokens=1_000_000)


def test_a_smaller_vector_is_cut_and_of_length_one() -> None:
    given = served(made_pages.model(), lambda engine: engine.embed_pages(PAGES, dimensions=16))
    cut = wanted(*PAGES)[:, :16]
    cut /= np.linalg.norm(cut, axis=1, keepdims=True)
    np.testing.assert_allclose(given.vectors, cut, rtol=0, atol=2e-6)


def test_a_page_is_reserved_at_what_it_costs_and_nothing_stays_behind(
    held: threading.Event,
) -> None:
    async def work(engine: Engine) -> None:
        room = engine.pages
        assert room is not None
        page = asyncio.create_task(engine.embed_pages(PAGES))
        await until(lambda: engine.queued_tokens > 0)
        # Before its picture is looked at, a page counts as one tile.
        assert engine.queued_tokens == sum(map(room.least, PAGES))
        held.set()
        answer = await page
        assert engine.queued_tokens == room.held_bytes == 0
        config = room.side.config
        tower = config.flops_per_tile() / config.text.flops_per_token()
        assert engine.tokens_per_second > 0
        assert answer.tokens > 14 * config.tokens_per_tile
        assert tower > 1

    served(made_pages.model(), work)


def test_a_full_house_refuses_pages_before_it_opens_them(held: threading.Event) -> None:
    async def work(engine: Engine) -> None:
        first = asyncio.create_task(engine.embed_pages(PAGES[:1]))
        await until(lambda: engine.queued_tokens > 0)
        with pytest.raises(ApiError) as refusal:
            await engine.embed_pages(PAGES)
        assert refusal.value.code == "overloaded"
        held.set()
        assert len((await first).vectors) == 1

    served(made_pages.model(), work, max_queued_tokens=10)


def test_pixels_beyond_the_limit_are_cut_again_and_give_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = wanted(*PAGES)
    cuts: list[tuple[int, int]] = []

    def counted(picture: Any, **options: Any) -> Any:
        cuts.append(picture.size)
        return cut_tiles(picture, **options)

    monkeypatch.setattr("biencoder.embedder.pages.side.cut_tiles", counted)

    async def work(engine: Engine) -> FloatArray:
        assert engine.pages is not None
        engine.pages._most = 0
        return (await engine.embed_pages(PAGES)).vectors

    vectors = served(made_pages.model(), work)
    np.testing.assert_allclose(vectors, expected, rtol=0, atol=2e-6)
    assert sorted(cuts) == sorted([TALL, WIDE] * 2)


def test_who_has_gone_has_no_picture_opened(held: threading.Event) -> None:
    async def work(engine: Engine) -> None:
        room = engine.pages
        assert room is not None
        gone = asyncio.create_task(engine.embed_pages(PAGES * 4))
        await until(lambda: engine.queued_tokens > 0)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        assert engine.queued_tokens == 0
        held.set()
        assert len((await engine.embed_pages(PAGES[:1])).vectors) == 1
        assert engine.totals.cancelled == 8
        assert room.held_bytes == 0

    served(made_pages.model(), work)


def test_a_fault_of_one_request_leaves_its_neighbours_their_pages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    vectors = PageRoom.vectors
    poison = PAGES[1]

    def faulty(room: PageRoom, pages: Any) -> FloatArray:
        if any(isinstance(page, WaitingPage) and page.sent is poison for page in pages):
            raise RuntimeError("a fault of the model")
        return vectors(room, pages)

    monkeypatch.setattr(PageRoom, "vectors", faulty)

    async def work(engine: Engine) -> tuple[Any, Any]:
        return await asyncio.gather(
            engine.embed_pages(PAGES[:1]), engine.embed_pages([poison]), return_exceptions=True
        )

    fine, failed = served(made_pages.model(), work)
    np.testing.assert_allclose(fine.vectors, wanted(PAGES[0]), rtol=0, atol=2e-6)
    assert failed.code == "engine_error"


def test_an_engine_is_warmed_with_a_page_too() -> None:
    async def work() -> float:
        engine = Engine(made_pages.model(), token_budget=64, max_tokens=64)
        await engine.start("full")
        try:
            return engine.tokens_per_second
        finally:
            await engine.stop(PATIENCE)

    assert run(work()) > 0
