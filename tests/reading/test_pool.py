"""The pool: every file gives one result, in order, whatever happens to a worker."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.reading import made

from biencoder.errors import InputError
from biencoder.reading import pool as pool_module
from biencoder.reading.file_text import FileText, PageText, ReadFailure
from biencoder.reading.limits import MEBIBYTE, Limits
from biencoder.reading.pool import ReaderPool


def _workers() -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process().children(recursive=True)
        if "biencoder.reading.worker" in child.cmdline()
    ]


def _read(*paths: Path, limits: Limits | None = None) -> list[FileText | ReadFailure]:
    with ReaderPool(1, limits) as pool:
        return list(pool.read(paths))


def _words(result: FileText | ReadFailure) -> list[str]:
    assert isinstance(result, FileText), result
    return [page.text for page in result.pages]


def test_poisoned_files_of_every_kind_harm_no_other(tmp_path: Path) -> None:
    good = made.pdf(["tea"])
    files: dict[str, tuple[bytes, str | None]] = {
        "a.pdf": (good, None),
        "encrypted.pdf": (made.encrypted_pdf(), "is encrypted"),
        "zero.pdf": (made.pdf([]), "has no pages"),
        "many.pdf": (made.pdf(["x"] * 10_000), "has 10,000 pages"),
        "cut.pdf": (good[:200], "damaged or truncated"),
        "empty.pdf": (b"", "is empty"),
        "b.md": (b"# Tea\n\nhot", None),
        "binary.txt": (b"\0\1\2", "NUL"),
        "blank.txt": (b" \n", "holds no text"),
        "bomb.docx": (made.docx(members={"a.xml": bytes(40 * MEBIBYTE)}), "zip bomb"),
        "c.docx": (made.docx(made.paragraph("tea")), None),
        "d.html": (b"<p>tea</p>", None),
        "odd.html": (b"\0", "NUL"),
        "e.PPTX": (made.pptx([("Tea", "hot")]), None),
        "rows.jsonl": (b"{}", "rows"),
        "tool.exe": (b"MZ", "of a kind that is not read"),
        "z.rst": (b"tea", None),
    }
    paths = [made.write(tmp_path / name, data) for name, (data, _) in files.items()]
    with ReaderPool(2) as pool:
        results = list(pool.read([*paths, tmp_path / "missing.pdf", tmp_path]))
    *found, missing, folder = results
    for (name, (_, reason)), result in zip(files.items(), found, strict=True):
        if reason is None:
            assert isinstance(result, FileText), (name, result)
        else:
            assert isinstance(result, ReadFailure), name
            assert reason in result.reason
    assert missing == ReadFailure("cannot be opened: No such file or directory")
    assert isinstance(folder, ReadFailure)


def test_plain_text_is_read_whole_and_starts_no_process(tmp_path: Path) -> None:
    text = "# On Tea\n\nIt is hot.\n"
    paths = [made.write(tmp_path / f"{n}.md", text) for n in range(20)]
    old = made.write(tmp_path / "old.txt", "# Größe überrascht Mädchen".encode("cp1252"))
    with ReaderPool(2) as pool:
        *same, last = pool.read([*paths, old])
        assert _workers() == []
    assert same == [FileText("On Tea", (PageText(None, text),), markdown=True)] * 20
    assert isinstance(last, FileText)
    assert (last.title, last.markdown) == ("", False)
    assert last.remarks[0].startswith("decoded as")
    assert last.notes == ()


def test_too_large_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    path = made.write(tmp_path / "a.pdf", made.pdf(["tea"]))
    (result,) = _read(path, limits=Limits(max_bytes=100))
    assert isinstance(result, ReadFailure)
    assert "MiB large" in result.reason
    words = made.write(tmp_path / "a.txt", "12345678901")
    (result,) = _read(words, limits=Limits(max_characters=10))
    assert result == ReadFailure("holds 11 characters; at most 10 are read")


def test_results_come_in_order_and_few_files_are_read_ahead(tmp_path: Path) -> None:
    taken = 0

    def paths() -> Iterator[Path]:
        nonlocal taken
        for number in range(40):
            taken += 1
            kind, data = ("pdf", made.pdf([f"{number}"])) if number % 3 else ("txt", f"{number}")
            yield made.write(tmp_path / f"{number}.{kind}", data)

    with ReaderPool(2) as pool:
        for number, result in enumerate(pool.read(paths())):
            assert _words(result) == [f"{number}"]
            assert taken <= number + 4


def test_an_endless_page_is_left_out_and_noted(tmp_path: Path) -> None:
    path = made.write(tmp_path / "a.pdf", made.pdf_with_endless_page(2, 3))
    after = made.write(tmp_path / "b.pdf", made.pdf(["tea"]))
    first, second = _read(path, after, limits=Limits(page_seconds=1.0))
    assert _words(first) == ["page 1", "page 3"]
    assert isinstance(first, FileText)
    assert first.notes == ("page 2 took longer than 1 s and was left out",)
    assert _words(second) == ["tea"]


def test_a_page_that_breaks_its_reader_is_left_out_and_noted(tmp_path: Path) -> None:
    path = made.write(tmp_path / "a.pdf", made.pdf_with_endless_page(1, 2))
    (result,) = _read(path, limits=Limits(memory_bytes=160 * MEBIBYTE, page_seconds=60))
    assert _words(result) == ["page 2"]
    assert isinstance(result, FileText)
    assert "page 1 made its reader stop (SIG" in result.notes[0]
    assert "160 MiB of memory" in result.notes[0]


def test_a_second_fault_fails_the_file_and_no_other(tmp_path: Path) -> None:
    data = made.pdf_with_endless_page(1, 3).replace(b"(page 2) Tj", b"/X Do      ")
    path = made.write(tmp_path / "a.pdf", data)
    after = made.write(tmp_path / "b.pdf", made.pdf(["tea"]))
    first, second = _read(path, after, limits=Limits(page_seconds=1.0))
    assert first == ReadFailure(
        "page 1 took longer than 1 s; read again, page 2 took longer than 1 s"
    )
    assert _words(second) == ["tea"]


def test_a_file_with_nothing_left_but_its_fault_names_it(tmp_path: Path) -> None:
    path = made.write(tmp_path / "a.pdf", made.pdf_with_endless_page(1, 1))
    (result,) = _read(path, limits=Limits(page_seconds=1.0))
    assert isinstance(result, ReadFailure)
    assert result.reason.startswith("page 1 took longer than 1 s; without it, ")


def test_a_file_s_time_is_its_end_without_a_second_try(tmp_path: Path) -> None:
    path = made.write(tmp_path / "a.pdf", made.pdf_with_endless_page(1, 2))
    start = time.monotonic()
    (result,) = _read(path, limits=Limits(file_seconds=1.0))
    assert result == ReadFailure("took longer than 1 s")
    assert time.monotonic() - start < 5


def test_a_file_that_needs_too_much_memory_is_a_failure(tmp_path: Path) -> None:
    path = made.write(tmp_path / "a.pdf", made.pdf(["tea"]))
    with path.open("r+b") as file:
        file.truncate(200 * MEBIBYTE)  # a hole: nothing is written
    after = made.write(tmp_path / "b.pdf", made.pdf(["tea"]))
    first, second = _read(path, after, limits=Limits(memory_bytes=160 * MEBIBYTE))
    assert first == ReadFailure("needs more memory than the 160 MiB that a file may have")
    assert _words(second) == ["tea"]


def test_a_worker_killed_from_outside_is_replaced_and_its_file_read_again(tmp_path: Path) -> None:
    paths = [made.write(tmp_path / f"{n}.pdf", made.pdf([f"{n}"])) for n in range(3)]
    with ReaderPool(1) as pool:
        for number, path in enumerate(paths):
            (result,) = pool.read([path])
            assert _words(result) == [f"{number}"]
            assert isinstance(result, FileText)
            assert result.notes == ()
            (worker,) = _workers()
            worker.kill()


def test_a_worker_is_replaced_after_so_many_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "_FILES_PER_WORKER", 2)
    path = made.write(tmp_path / "a.pdf", made.pdf(["tea"]))
    seen = []
    with ReaderPool(1) as pool:
        for _ in range(5):
            (result,) = pool.read([path])
            assert _words(result) == ["tea"]
            seen += [worker.pid for worker in _workers()]
    assert [seen.index(pid) for pid in seen] == [0, 0, 2, 2, 4]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_leaving_ends_every_worker_even_a_busy_one(
    tmp_path: Path, error: type[BaseException]
) -> None:
    endless = made.write(tmp_path / "a.pdf", made.pdf_with_endless_page(1, 2))
    first = made.write(tmp_path / "b.pdf", made.pdf(["tea"]))
    start = time.monotonic()

    def leave_in_the_middle() -> None:
        with ReaderPool(2) as pool:
            for _ in pool.read([first, endless, endless, endless]):
                while len(_workers()) < 2:
                    time.sleep(0.01)
                raise error

    with pytest.raises(error):
        leave_in_the_middle()
    assert _workers() == []
    assert time.monotonic() - start < 10


def test_a_module_in_the_folder_at_hand_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.write(tmp_path / "json.py", "raise SystemExit('stolen')")
    path = made.write(tmp_path / "a.pdf", made.pdf(["tea"]))
    monkeypatch.chdir(tmp_path)
    (result,) = _read(path)
    assert _words(result) == ["tea"]


def test_no_workers_cannot_read() -> None:
    with pytest.raises(InputError, match="0 workers"):
        ReaderPool(0)
