"""`--server` and `--api-key-file`: every verb that needs a model takes one from a server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.commands import fails, run, succeeds
from tests.embedder.stand_in import StandIn, mini, serving
from tests.index.made_documents import TEXTS, write_documents

QUESTION = "where do oxbow lakes come from?"


@pytest.fixture
def server() -> Iterator[StandIn]:
    with serving(key="s3cret") as stand_in:
        yield stand_in


@pytest.fixture
def there(server: StandIn, tmp_path: Path) -> tuple[object, ...]:
    """The options that lead to the server."""
    (tmp_path / "key").write_text("s3cret\n")
    return ("--server", server.url, "--api-key-file", tmp_path / "key")


def test_embed_writes_the_vectors_of_the_server(
    there: tuple[object, ...], server: StandIn, tmp_path: Path
) -> None:
    (tmp_path / "texts.txt").write_text("\n".join(TEXTS))
    out = tmp_path / "vectors.npy"
    succeeds("embed", tmp_path / "texts.txt", "--output", out, *there)
    np.testing.assert_array_equal(np.load(out), mini().encode_documents(list(TEXTS)))
    facts = json.loads(out.with_suffix(".meta.json").read_text())
    assert (facts["model"], facts["server"]) == ("mini", server.url + "/v1")


def test_search_asks_the_server_for_files_and_for_an_index(
    there: tuple[object, ...], tmp_path: Path
) -> None:
    docs, index = write_documents(tmp_path / "docs"), tmp_path / "index"
    assert "lakes.md" in succeeds("search", QUESTION, "--in", docs, *there)
    succeeds("index", docs, "--to", index, "--model", "mini", *there)
    # The server is remembered, the key is not.
    fails("does not let us in", "search", QUESTION, "--in", index)
    told = succeeds("search", QUESTION, "--in", index, *there[2:])
    assert "lakes.md" in told
    assert f"mini at {there[1]}/v1, hybrid" in told
    # A model that is named alone is one on this machine; this one is the same.
    assert "lakes.md" in succeeds("search", QUESTION, "--in", index, "--model", "mini")


def test_an_index_is_searched_at_another_address(there: tuple[object, ...], tmp_path: Path) -> None:
    docs, index = write_documents(tmp_path / "docs"), tmp_path / "index"
    with serving() as old:
        succeeds("index", docs, "--to", index, "--server", old.url)
    assert "lakes.md" in succeeds("search", QUESTION, "--in", index, *there)


def test_evaluate_judges_the_model_of_the_server(there: tuple[object, ...], tmp_path: Path) -> None:
    judged = tmp_path / "judged"
    (judged / "qrels").mkdir(parents=True)
    (judged / "corpus.jsonl").write_text('{"_id": "tea", "text": "Tea is brewed."}\n')
    (judged / "queries.jsonl").write_text('{"_id": "q", "text": "how is tea made?"}\n')
    (judged / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq\ttea\t1\n")
    code, out, err = run(
        "evaluate", "--data", judged, "--output", tmp_path / "out", "--json", *there
    )
    assert code == 0, err
    (record,) = json.loads(out)
    assert record["model"]["device"] == "server"
    assert record["model"]["fingerprint"] == mini().fingerprint()


def test_a_key_without_a_server_and_a_format_for_a_server_are_refused(
    there: tuple[object, ...], tmp_path: Path
) -> None:
    (tmp_path / "texts.txt").write_text("text\n")
    embed = ("embed", tmp_path / "texts.txt", "--output", tmp_path / "x.npy")
    fails("key file is given, and no server", *embed, *there[2:])
    fails("is for a model on this machine", *embed, *there, "--dtype", "float32")
    assert not (tmp_path / "x.npy").exists()


def test_no_key_comes_into_what_is_printed(server: StandIn, tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("text\n")
    (tmp_path / "key").write_text("another-key")
    embed = ("embed", tmp_path / "texts.txt", "--output", tmp_path / "x.npy")
    said = fails(
        "does not let us in", *embed, "--server", server.url, "--api-key-file", tmp_path / "key"
    )
    assert "another-key" not in said


def test_a_model_without_public_weights_points_to_its_server() -> None:
    fails("--server URL", "search", "x", "--in", ".", "--model", "300m")
