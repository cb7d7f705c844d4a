"""`biencoder export` and its examples: every passage, every number, the same neighbours elsewhere."""

from __future__ import annotations

import importlib.util
import json
import socket
from pathlib import Path
from types import ModuleType
from typing import Any

import faiss
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from qdrant_client import QdrantClient
from tests.cli.made_index import PASSAGES, copied, live, write_index
from tests.commands import fails, run, succeeds

from biencoder import Embedder, Index
from biencoder.index.store import Store

EXAMPLES = Path(__file__).parent.parent.parent / "examples" / "export"
QUESTIONS = ["how do I reset the device?", "which trees keep needles?", "who dances?"]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_index(tmp_path_factory.mktemp("export"))


@pytest.fixture(scope="module")
def parquet(index: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("parquet") / "index.parquet"
    succeeds("export", index, "--to", path)
    return path


@pytest.fixture(scope="module")
def mini() -> Embedder:
    return Embedder.load("mini")


def _example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _nearest(index: Path, question: str, mini: Embedder) -> list[str]:
    opened = Index.open(index, embedder=mini)
    return [hit.id for hit in opened.search(question, top_k=10, mode="dense")]


def test_the_file_holds_the_table_without_the_words_of_bm25(index: Path, parquet: Path) -> None:
    store = Store.open(live(index).folder)
    names = [name for name in store.schema.names if name != "words"]
    table = pa.Table.from_batches(list(store.scan(names)))
    found = pq.read_table(parquet)
    assert found.column_names == names
    assert found.equals(table)
    assert found.schema.field("vector").type == pa.list_(pa.float32(), 384)


def test_the_file_says_which_model_made_it(index: Path, parquet: Path) -> None:
    facts = json.loads(pq.read_schema(parquet).metadata[b"biencoder"])
    status = json.loads(run("status", index, "--json")[1])
    assert facts == status["settings"]


def test_json_says_where_and_how_much(index: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    _, out, _ = run("export", index, "--to", path, "--json")
    assert json.loads(out) == {"index": str(index), "path": str(path), "chunks": PASSAGES}


def test_faults_are_one_sentence_and_leave_no_file(index: Path, tmp_path: Path) -> None:
    fails("no .parquet file", "export", index, "--to", tmp_path / "a.csv")
    fails("no folder", "export", index, "--to", tmp_path / "nowhere" / "a.parquet")
    fails("is no index", "export", tmp_path, "--to", tmp_path / "a.parquet")
    copy = copied(index, tmp_path / "index")
    (data,) = (live(copy).table / "data").iterdir()
    data.write_bytes(bytes(data.stat().st_size))
    fails("chunks.lance cannot be read", "export", copy, "--to", tmp_path / "a.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


def test_faiss_finds_what_the_index_finds(
    index: Path, parquet: Path, tmp_path: Path, mini: Embedder
) -> None:
    _example("to_faiss").main(parquet, tmp_path / "index.faiss")
    stored = faiss.read_index(str(tmp_path / "index.faiss"))
    ids = pq.read_table(parquet, columns=["id"])["id"].to_pylist()
    for question in QUESTIONS:
        _, rows = stored.search(mini.encode_queries([question]), PASSAGES)
        assert [ids[row] for row in rows[0]] == _nearest(index, question, mini)


def test_qdrant_finds_what_the_index_finds_with_its_payload(
    index: Path, parquet: Path, mini: Embedder
) -> None:
    client = QdrantClient(":memory:")
    send = _example("to_qdrant").main
    send(parquet, "passages", client)
    send(parquet, "passages", client)  # sent again, it replaces itself
    assert client.count("passages").count == PASSAGES
    for question in QUESTIONS:
        vector = mini.encode_queries([question])[0].tolist()
        points = client.query_points("passages", query=vector, limit=10).points
        payloads: list[dict[str, Any]] = [point.payload or {} for point in points]
        assert [found["id"] for found in payloads] == _nearest(index, question, mini)
    bees = next(found for found in payloads if found["source"] == "animals.jsonl#r1")
    assert (bees["year"], bees["text"]) == (1946, "Bees dance to show where flowers are.")
    client.close()


def test_pgvector_s_copy_gives_every_value_back(parquet: Path, tmp_path: Path) -> None:
    _example("to_pgvector").main(parquet, tmp_path / "index.sql", 'my "table"')
    sql = (tmp_path / "index.sql").read_text(encoding="utf-8")
    assert 'CREATE TABLE "my ""table""" (' in sql
    assert '"end" bigint' in sql
    assert '"vector" vector(384) NOT NULL' in sql
    assert 'USING hnsw ("vector" vector_ip_ops)' in sql
    copied_rows = sql.split("FROM stdin;\n")[1].split("\\.\n")[0].splitlines()
    rows = pq.read_table(parquet).to_pylist()
    assert len(copied_rows) == len(rows)
    for line, row in zip(copied_rows, rows, strict=True):
        cells = dict(zip(row, line.split("\t"), strict=True))
        assert cells["text"] == row["text"].replace("\n", "\\n")
        assert cells["page"] == ("\\N" if row["page"] is None else str(row["page"]))
        vector = np.array(json.loads(cells["vector"]), dtype=np.float32)
        np.testing.assert_array_equal(vector, np.array(row["vector"], dtype=np.float32))


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("a\tb\\c\r\nd", "a\\tb\\\\c\\r\\nd"),
        ("\\.", "\\\\."),
        ("nul \0", "nul \ufffd"),
        ("", ""),
        (None, "\\N"),
        (True, "True"),
        (-7, "-7"),
        ([0.5, np.float32(1 / 3).item()], "[0.5,0.333333343]"),
    ],
)
def test_a_value_is_one_cell_of_copy(value: object, cell: str) -> None:
    assert _example("to_pgvector").cell(value) == cell


@pytest.mark.parametrize(
    ("size", "column", "by"),
    [
        (384, "vector(384)", '("vector" vector_ip_ops)'),
        (2000, "vector(2000)", '("vector" vector_ip_ops)'),
        (2048, "halfvec(2048)", '("vector" halfvec_ip_ops)'),
        (4000, "halfvec(4000)", '("vector" halfvec_ip_ops)'),
        (4096, "vector(4096)", '((binary_quantize("vector")::bit(4096)) bit_hamming_ops)'),
    ],
)
def test_the_size_decides_how_pgvector_indexes(size: int, column: str, by: str) -> None:
    example = _example("to_pgvector")
    field = pa.field("vector", pa.list_(pa.float32(), size))
    end = "\n".join(example.tail("passages", size))
    assert example.column_type(field) == f"{column} NOT NULL"
    assert f'CREATE INDEX ON "passages" USING hnsw {by};' in end
    # By signs alone a question finds candidates; the vectors themselves order them.
    assert ("LIMIT 200" in end and "ef_search = 200" in end) == (size > 4000)


@pytest.mark.parametrize("name", ["to_faiss", "to_qdrant", "to_pgvector"])
def test_a_script_without_its_arguments_or_its_file_tells_its_usage(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = _example(name)
    for words, said in (
        ([], "the following arguments are required: parquet"),
        (
            [str(tmp_path / "none.parquet"), *(["a", "b"] if name != "to_faiss" else ["a"])],
            "no file",
        ),
    ):
        with pytest.raises(SystemExit) as stop:
            script.arguments(words)
        assert stop.value.code == 2
        err = capsys.readouterr().err
        assert err.startswith("usage: ")
        assert said in err


def test_a_qdrant_that_does_not_run_is_one_sentence(parquet: Path) -> None:
    with socket.socket() as taken:
        # Bound, but nobody listens: the port refuses, and no other program can have it.
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(SystemExit, match=f"Qdrant at {url} does not take the passages"):
            _example("to_qdrant").send(parquet, "passages", url)
