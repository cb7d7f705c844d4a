"""PDF pages as images: each as it looks and with its text, one at a time, whatever some of them do."""

from __future__ import annotations

import json
import time
import tracemalloc
from collections.abc import Callable, Generator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil
import pytest
from tests.reading import made

from biencoder.errors import InputError
from biencoder.reading import pdf_pages as pdf_pages_module
from biencoder.reading.limits import MEBIBYTE, Limits
from biencoder.reading.pdf_pages import PageImage, pdf_pages
from biencoder.reading.worker_process import WorkerProcess

SHARED = Path(__file__).parent.parent.parent.parent / "shared" / "data" / "pdf"
RED, GREEN, BLUE, WHITE = [255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]


def _workers() -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process().children(recursive=True)
        if "biencoder.reading.worker" in child.cmdline()
    ]


def _pages(source: Path | bytes, **options: Any) -> tuple[list[PageImage], list[str]]:
    notes: list[str] = []
    return list(pdf_pages(source, notes=notes, **options)), notes


def _box(colour: str, place: str) -> str:
    """PDF operators that fill a rectangle, to stand in the middle of a line of text."""
    return f") Tj ET {colour} rg {place} re f BT /F 12 Tf ("


def _pixels(page: PageImage) -> npt.NDArray[np.uint8]:
    return np.frombuffer(page.rgb, np.uint8).reshape(page.height, page.width, 3)


def test_each_page_has_its_number_its_size_its_text_and_its_looks() -> None:
    red_left = "green tea" + _box("1 0 0", "0 0 306 700")
    blue_below = "black tea" + _box("0 0 1", "0 0 612 396")
    (first, second), notes = _pages(made.pdf([red_left, blue_below]), dpi=72)
    assert [(page.number, page.width, page.height) for page in (first, second)] == [
        (1, 612, 792),
        (2, 612, 792),
    ]
    assert [page.text.strip() for page in (first, second)] == ["green tea", "black tea"]
    assert _pixels(first)[[400, 400], [100, 500]].tolist() == [RED, WHITE]
    assert _pixels(second)[[100, 700], [300, 300]].tolist() == [WHITE, BLUE]
    assert notes == []


def test_a_page_becomes_an_image_of_the_same_pixels() -> None:
    ((page,), _) = _pages(made.pdf([_box("0 1 0", "0 0 100 100")]), dpi=36)
    image = page.image()
    assert (image.mode, image.size) == ("RGB", (306, 396))
    np.testing.assert_array_equal(np.asarray(image), _pixels(page))
    assert image.getpixel((10, 390)) == (0, 255, 0)


def test_letter_at_150_dots_an_inch_has_1275_x_1650_pixels_from_a_path_or_bytes(
    tmp_path: Path,
) -> None:
    data = made.pdf(["tea"])
    path = made.write(tmp_path / "a.pdf", data)
    (from_bytes,), _ = _pages(data)
    (from_path,), _ = _pages(path)
    assert (from_bytes.width, from_bytes.height) == (1275, 1650)
    assert from_bytes == from_path


def test_a_page_without_text_has_looks_and_an_empty_text() -> None:
    ((page,), notes) = _pages(made.pdf([""]), dpi=36)
    assert (page.text, notes) == ("", [])


def test_a_turned_page_is_drawn_as_it_is_read() -> None:
    data = made.pdf([_box("1 0 0", "0 0 612 100")]).replace(
        b"/MediaBox [0 0 612 792]", b"/Rotate 90 /MediaBox [0 0 612 792]"
    )
    ((page,), _) = _pages(data, dpi=36)
    assert (page.width, page.height) == (396, 306)
    # What was below is left after a quarter turn clockwise.
    assert _pixels(page)[[150, 150], [10, 390]].tolist() == [RED, WHITE]


def test_what_was_filled_into_a_form_is_drawn() -> None:
    field = (
        b"/Annots [<< /Type /Annot /Subtype /Widget /FT /Tx /T (a) /F 4 /Rect [0 0 306 396] "
        b"/MK << /BG [0 0 1] >> /V () /DA (/F 12 Tf 0 g) >>]"
    )
    data = made.pdf(["tea"]).replace(b"/Type /Page /Parent", field + b" /Type /Page /Parent")
    form = b"/Type /Catalog /AcroForm << /Fields [] /NeedAppearances true >>"
    ((page,), _) = _pages(data.replace(b"/Type /Catalog", form), dpi=36)
    assert _pixels(page)[350, 100].tolist() != WHITE


@pytest.mark.parametrize(
    ("box", "most"),
    [("0 0 14400 14400", 1_000_000), ("0 0 14400 1", 1_000_000), ("0 0 2 14400", 1_000)],
)
def test_a_huge_page_is_drawn_smaller_in_its_own_shape(box: str, most: int) -> None:
    data = made.pdf(["tea"]).replace(b"[0 0 612 792]", f"[{box}]".encode())
    ((page,), _) = _pages(data, limits=Limits(page_pixels=most))
    # A side is rounded up to a whole pixel.
    assert page.width * page.height <= most + page.width + page.height
    assert max(page.width, page.height) <= 65_535


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (made.encrypted_pdf(), "is encrypted"),
        (made.pdf([]), "has no pages"),
        (b"hello", "is not a PDF"),
        (b"", "is empty"),
        (made.pdf(["tea"])[:200], "damaged or truncated"),
        (made.pdf(["x"] * 6), "has 6 pages; at most 5"),
        (made.pdf(["a long line of text"]), "more than 10 characters"),
    ],
)
def test_a_poisoned_file_has_its_reason(data: bytes, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        _pages(data, limits=Limits(max_pages=5, max_characters=10))
    assert _workers() == []


def test_what_is_no_file_has_its_reason(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be opened: No such file"):
        _pages(tmp_path / "gone.pdf")
    with pytest.raises(InputError, match="is no regular file"):
        _pages(tmp_path)
    with pytest.raises(InputError, match="MiB large"):
        _pages(made.pdf(["tea"]), limits=Limits(max_bytes=100))
    with pytest.raises(InputError, match="dpi=0"):
        _pages(made.pdf(["tea"]), dpi=0)


def test_a_page_that_pdfium_refuses_is_a_note_and_the_others_come() -> None:
    broken = made.pdf(["one", "two", "three"]).replace(
        b"/Kids [4 0 R 6 0 R 8 0 R]", b"/Kids[4 0 R 99 0 R 8 0 R]"
    )
    pages, notes = _pages(broken, dpi=36)
    assert [page.text for page in pages] == ["one", "three"]
    assert notes == ["page 2 could not be read: Failed to load page."]


def test_a_file_without_its_end_is_noted() -> None:
    _, (note,) = _pages(made.pdf(["tea"])[:-8], dpi=36)
    assert "end of the file is missing" in note


def test_an_endless_page_is_left_out_and_the_next_ones_come() -> None:
    data = made.pdf_with_endless_page(2, 4)
    pages, notes = _pages(data, dpi=36, limits=Limits(page_seconds=1.0))
    assert [page.text for page in pages] == ["page 1", "page 3", "page 4"]
    assert notes == ["page 2 took longer than 1 s and was left out"]


def test_an_endless_last_page_is_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    started = _count_workers(monkeypatch)
    data = made.pdf_with_endless_page(2, 2)
    pages, notes = _pages(data, dpi=36, limits=Limits(page_seconds=1.0))
    assert [page.text for page in pages] == ["page 1"]
    assert notes == ["page 2 took longer than 1 s and was left out"]
    assert len(started) == 1


def test_a_file_of_one_endless_page_has_its_reason() -> None:
    with pytest.raises(InputError, match="page 1 took longer than 1 s and was left out"):
        _pages(made.pdf_with_endless_page(1, 1), limits=Limits(page_seconds=1.0))


def test_a_file_s_time_ends_it_with_a_note_on_what_is_missing() -> None:
    data = made.pdf_with_endless_page(2, 4)
    pages, notes = _pages(data, dpi=36, limits=Limits(file_seconds=2.0))
    assert [page.text for page in pages] == ["page 1"]
    assert notes == ["pages 2 to 4 were left out: the file took longer than 2 s"]


def test_lost_pages_use_up_a_file_s_time() -> None:
    data = made.pdf_with_endless_page(2, 4)
    limits = Limits(page_seconds=1.5, file_seconds=1.6)
    pages, notes = _pages(data, dpi=36, limits=limits)
    assert [page.text for page in pages] == ["page 1"]
    assert notes == [
        "page 2 took longer than 1.5 s and was left out",
        "pages 3 to 4 were left out: the file took longer than 1.6 s",
    ]


def test_a_page_too_large_for_the_memory_is_a_note() -> None:
    data = made.pdf(["one", "two", "three"])
    start = data.index(b"[0 0 612 792]", data.index(b"6 0 obj"))
    data = data[:start] + b"[0 0 9999 9999]" + data[start + 13 :]
    limits = Limits(page_pixels=10**9, memory_bytes=700 * MEBIBYTE)
    pages, notes = _pages(data, limits=limits)
    assert [page.number for page in pages] == [1, 3]
    assert len(notes) == 1
    assert notes[0].startswith("page 2 ")


def test_time_is_not_charged_while_the_consumer_works(monkeypatch: pytest.MonkeyPatch) -> None:
    late = 0.0
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + late)
    monkeypatch.setattr(pdf_pages_module, "time", clock)
    texts = []
    notes: list[str] = []
    for page in pdf_pages(made.pdf(["one", "two", "three"]), notes=notes, dpi=36):
        texts.append(page.text)
        late += 10_000
    assert (texts, notes) == (["one", "two", "three"], [])


def test_quick_pages_cost_a_file_none_of_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[float] = []
    wait = pdf_pages_module._Reading._wait

    def watched(reading: Any, *arguments: Any) -> Any:
        answer = wait(reading, *arguments)
        left.append(reading._seconds)
        return answer

    monkeypatch.setattr(pdf_pages_module, "_FREE_SECONDS", 60.0)
    monkeypatch.setattr(pdf_pages_module._Reading, "_wait", watched)
    _pages(made.pdf(["one", "two"]), dpi=36)
    assert left == [Limits().file_seconds] * 5


def test_a_worker_ended_by_somebody_else_costs_the_page_that_it_drew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer = WorkerProcess.answer

    def ending(worker: WorkerProcess, *arguments: Any) -> dict[str, Any]:
        found = answer(worker, *arguments)
        if found.get("page") == 2:
            worker.kill()
        return found

    monkeypatch.setattr(WorkerProcess, "answer", ending)
    # A page at full size is more than a pipe holds, so it cannot be under way as a whole.
    pages, notes = _pages(made.pdf(["1", "2", "3"]))
    assert [page.text for page in pages] == ["1", "3"]
    assert len(notes) == 1
    assert notes[0].startswith("page 2 made its reader stop (SIGKILL")


def test_a_worker_that_dies_before_the_first_page_is_forgiven_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ask = WorkerProcess.ask
    deaths = 1

    def dying(worker: WorkerProcess, *arguments: Any) -> None:
        nonlocal deaths
        ask(worker, *arguments)
        if deaths:
            deaths -= 1
            worker.kill()

    monkeypatch.setattr(WorkerProcess, "ask", dying)
    pages, notes = _pages(made.pdf(["tea"]), dpi=36)
    assert ([page.text for page in pages], notes) == (["tea"], [])
    deaths = 2
    with pytest.raises(InputError, match="made its reader stop"):
        _pages(made.pdf(["tea"]), dpi=36)


@pytest.mark.parametrize("close", [Generator.close, lambda pages: None])
def test_leaving_early_ends_the_worker(close: Callable[..., None]) -> None:
    pages = pdf_pages(made.pdf(["one", "two", "three"]), notes=[])
    next(pages)
    assert len(_workers()) == 1
    close(pages)
    del pages
    assert _workers() == []


def test_the_memory_holds_few_pages_however_many_there_are() -> None:
    size = 1275 * 1650 * 3
    tracemalloc.start()
    try:
        count = sum(len(page.rgb) == size for page in pdf_pages(made.pdf(["tea"] * 8), notes=[]))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 8
    assert peak < 4 * size


def test_the_shared_questions_pages_have_the_text_that_reading_gives_them() -> None:
    if not SHARED.is_dir():
        pytest.skip("the shared PDFs are not here")
    rows = [json.loads(line) for line in (SHARED / "corpus.jsonl").read_text().splitlines()]
    name = "nvingest-multimodal-test.pdf"
    texts = {row["_id"]: row["text"] for row in rows if row["_id"].startswith(name)}
    pages, notes = _pages(SHARED / name, dpi=30)
    assert {f"{name}#{page.number}": " ".join(page.text.split()) for page in pages} == texts
    assert notes == []


def _count_workers(monkeypatch: pytest.MonkeyPatch) -> list[WorkerProcess]:
    started: list[WorkerProcess] = []

    class Counted(WorkerProcess):
        def __init__(self, limits: Limits) -> None:
            super().__init__(limits)
            started.append(self)

    monkeypatch.setattr(pdf_pages_module, "WorkerProcess", Counted)
    return started
