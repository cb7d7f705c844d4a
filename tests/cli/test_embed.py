"""`biencoder embed`: every text kept, in order, in every format; nothing half-written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from sentence_transformers.util.quantization import quantize_embeddings
from tests.commands import fails, succeeds

from biencoder import Embedder


@pytest.fixture(scope="module")
def model() -> Embedder:
    return Embedder.load("mini")


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    texts = ["a river bend", "", "pine needles", "   ", "tea"]
    lines = [json.dumps({"_id": f"d{n}", "text": text}) for n, text in enumerate(texts)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _expected(model: Embedder) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return model.encode_documents(["a river bend", "", "pine needles", "   ", "tea"])


def test_npy_holds_a_row_per_text_in_order(rows: Path, tmp_path: Path, model: Embedder) -> None:
    succeeds("embed", rows, "--output", tmp_path / "v.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "v.npy"), _expected(model))


def test_jsonl_and_parquet_hold_ids_and_the_same_vectors(
    rows: Path, tmp_path: Path, model: Embedder
) -> None:
    succeeds("embed", rows, "--output", tmp_path / "v.jsonl")
    succeeds("embed", rows, "--output", tmp_path / "v.parquet")
    lines = [json.loads(line) for line in (tmp_path / "v.jsonl").read_text().splitlines()]
    table = pq.read_table(tmp_path / "v.parquet")
    assert [line["id"] for line in lines] == ["d0", "d1", "d2", "d3", "d4"]
    assert table["id"].to_pylist() == ["d0", "d1", "d2", "d3", "d4"]
    expected = _expected(model)
    np.testing.assert_allclose([line["embedding"] for line in lines], expected, rtol=1e-6)
    np.testing.assert_array_equal(np.asarray(table["embedding"].to_pylist(), np.float32), expected)


def test_roles_and_sizes_are_those_asked_for(rows: Path, tmp_path: Path, model: Embedder) -> None:
    succeeds(
        "embed", rows, "--output", tmp_path / "v.npy", "--input-type", "query", "--dimensions", 64
    )
    texts = ["a river bend", "", "pine needles", "   ", "tea"]
    expected = model.encode_queries(texts, dimensions=64)
    np.testing.assert_array_equal(np.load(tmp_path / "v.npy"), expected)


def test_int8_and_binary_equal_sentence_transformers(
    rows: Path, tmp_path: Path, model: Embedder
) -> None:
    expected = _expected(model)
    succeeds("embed", rows, "--output", tmp_path / "i.npy", "--precision", "int8")
    succeeds("embed", rows, "--output", tmp_path / "b.npy", "--precision", "binary")
    ranges = np.stack((expected.min(axis=0), expected.max(axis=0)))
    np.testing.assert_array_equal(
        np.load(tmp_path / "i.npy"), quantize_embeddings(expected, "int8", ranges=ranges)
    )
    np.testing.assert_array_equal(
        np.load(tmp_path / "b.npy"), quantize_embeddings(expected, "binary")
    )


def test_int8_ranges_of_an_earlier_run_are_reused_and_clipping_is_counted(
    rows: Path, tmp_path: Path
) -> None:
    succeeds("embed", rows, "--output", tmp_path / "i.npy", "--precision", "int8")
    other = tmp_path / "other.txt"
    other.write_text("an engine overheats\n", encoding="utf-8")
    output = succeeds(
        "embed", other, "--output", tmp_path / "o.npy", "--precision", "int8",
        "--ranges", tmp_path / "i.meta.json",
    )  # fmt: skip
    first, second = (json.loads((tmp_path / f"{n}.meta.json").read_text()) for n in "io")
    assert second["int8_ranges"] == first["int8_ranges"]
    assert second["clipped"] > 0
    assert "clipped" in output


def test_a_text_file_is_a_text_a_line(tmp_path: Path, model: Embedder) -> None:
    (tmp_path / "t.txt").write_text("tea\n\npine needles\n", encoding="utf-8")
    succeeds("embed", tmp_path / "t.txt", "--output", tmp_path / "v.npy")
    np.testing.assert_array_equal(
        np.load(tmp_path / "v.npy"), model.encode_documents(["tea", "", "pine needles"])
    )


def test_cut_texts_are_counted_and_said(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("word " * 900 + "\nshort\n", encoding="utf-8")
    fails("too long|tokens", "embed", tmp_path / "t.txt", "--output", tmp_path / "v.npy")
    output = succeeds(
        "embed", tmp_path / "t.txt", "--output", tmp_path / "v.npy", "--truncate", "END"
    )
    assert "too long, the last tokens cut off: 1 text\n" in output
    assert json.loads((tmp_path / "v.meta.json").read_text())["cut"] == 1


def test_unreadable_texts_are_counted_and_said(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("река меняет своё русло весной\nplain tea\n", encoding="utf-8")
    output = succeeds("embed", tmp_path / "t.txt", "--output", tmp_path / "v.npy")
    assert "hardly readable for mini (another language or script): 1 text\n" in output


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("no file or folder", ["missing.jsonl", "--output", "v.npy"]),
        ("line 2 is not readable JSON", ["bad.jsonl", "--output", "v.npy"]),
        ("no text in", ["empty.txt", "--output", "v.npy"]),
        ("no vectors of 100 dimensions", ["good.txt", "--output", "v.npy", "--dimensions", "100"]),
        ("did you mean 'mini'", ["good.txt", "--output", "v.npy", "--model", "mimi"]),
        ("one of query, document", ["good.txt", "--output", "v.npy", "--input-type", "passage"]),
        ("one of .npy", ["good.txt", "--output", "v.csv"]),
        ("no folder", ["good.txt", "--output", "nowhere/v.npy"]),
        ("not UTF-8", ["latin.txt", "--output", "v.npy"]),
        ("float16 on a CPU", ["good.txt", "--output", "v.npy", "--dtype", "float16"]),
    ],
)
def test_a_fault_is_one_sentence_and_leaves_no_file(
    message: str, arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.jsonl").write_text('{"text": "a"}\n{"text": \n', encoding="utf-8")
    Path("empty.txt").write_text("", encoding="utf-8")
    Path("good.txt").write_text("tea\n", encoding="utf-8")
    Path("latin.txt").write_bytes("caf\xe9\n".encode("latin-1"))
    fails(message, "embed", *arguments)
    assert not list(tmp_path.glob("*v.*"))
    assert not list(tmp_path.glob(".*"))


def test_a_full_disk_is_one_sentence_and_leaves_no_file(
    rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from biencoder.corpus import vector_files

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(vector_files._NpyWriter, "append", full)
    fails("No space left on device", "embed", rows, "--output", tmp_path / "v.npy")
    assert not list(tmp_path.glob("*v.npy*"))
