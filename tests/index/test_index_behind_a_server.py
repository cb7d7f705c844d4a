"""An index whose model is behind a server: as one made here, and it knows how to come there again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.embedder.stand_in import Json, mini, serving
from tests.index import made_index
from tests.index.made_documents import write_documents

from biencoder import Embedder, Index
from biencoder.embedder.memory_search import MemoryIndex
from biencoder.errors import FingerprintError, RemoteError, UnknownModelError
from biencoder.evaluate.run import evaluate
from biencoder.index.build import Options, index_folder
from biencoder.index.facts import read_facts
from biencoder.index.layout import read_layout
from biencoder.index.verify import verify

NEW = "Geysers throw hot water into the air."
QUESTION = "where do oxbow lakes come from?"
OPTIONS = Options(workers=1)


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    return write_documents(tmp_path / "docs")


def reached(url: str, **more: str) -> Options:
    return replace(OPTIONS, model="mini", server=url, **more)  # type: ignore[arg-type]


def test_it_holds_and_finds_what_one_made_here_does(docs: Path, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    index_folder(docs, here, OPTIONS, embedder=mini())
    with serving() as server:
        tally = index_folder(docs, there, reached(server.url, tokenizer="mini"))
        assert (tally.documents, tally.failures) == (7, {})
        local, remote = Index.open(here, embedder=mini()), Index.open(there)
        for mode in ("dense", "lexical", "hybrid"):
            expected, found = local.search(QUESTION, mode=mode), remote.search(QUESTION, mode=mode)
            assert [hit.text for hit in found] == [hit.text for hit in expected]
            np.testing.assert_allclose(
                [hit.score for hit in found], [hit.score for hit in expected], atol=1e-6
            )
        # A server that states the model's own fingerprint gives the model's own vectors.
        assert remote.facts.fingerprint == local.facts.fingerprint
        assert len(Index.open(there, embedder=mini()).search(QUESTION)) == 5


def test_it_remembers_the_server_and_never_the_key(
    docs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "key"
    key.write_text("s3cret-key")
    folder = tmp_path / "index"
    with serving(key="s3cret-key") as server:
        index_folder(docs, folder, reached(server.url, api_key_file=str(key)))
        facts = Index.open(folder).facts
        assert (facts.model, facts.server) == ("mini", server.url + "/v1")
        assert made_index.holds_bytes(folder, b"s3cret-key") == []
        with pytest.raises(RemoteError, match="does not let us in"):
            Index.open(folder).search(QUESTION)
        assert Index.open(folder, api_key_file=key).search(QUESTION)[0].source == "lakes.md"
        # An index may be a stranger's: the server that it names does not get the environment's key.
        monkeypatch.setenv("BIENCODER_API_KEY", "s3cret-key")
        with pytest.raises(RemoteError, match="does not let us in"):
            Index.open(folder).search(QUESTION)
        assert index_folder(docs, folder, replace(OPTIONS, server=server.url)).unchanged == 7


def test_words_are_found_without_the_server(docs: Path, tmp_path: Path) -> None:
    with serving() as server:
        index_folder(docs, tmp_path / "index", reached(server.url))
        asked = len(server.paths)
        hits = Index.open(tmp_path / "index").search("zyzzogeton", mode="lexical")
        assert hits[0].source == "trees/rare.txt"
        assert len(server.paths) == asked


def test_it_is_brought_up_to_date_at_its_server(docs: Path, tmp_path: Path) -> None:
    folder = tmp_path / "index"
    with serving() as server:
        index_folder(docs, folder, reached(server.url))
        (docs / "new.txt").write_text(NEW)
        server.asked.clear()
        tally = index_folder(docs, folder, OPTIONS)
        assert (tally.documents, tally.unchanged) == (1, 7)
        (body,) = server.asked
        assert [text.partition("\n")[2] or text for text in body["input"]] == [NEW]
        assert verify(folder).ok


def test_the_same_model_at_another_address_is_taken_and_remembered(
    docs: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "index"
    with serving() as old:
        index_folder(docs, folder, reached(old.url))
    with serving() as new:
        (docs / "new.txt").write_text(NEW)
        assert index_folder(docs, folder, replace(OPTIONS, server=new.url)).documents == 1
        assert Index.open(folder).facts.server == new.url + "/v1"
        assert Index.open(folder).search("hot water geysers")[0].source == "new.txt"


def test_another_model_at_the_same_address_is_refused(docs: Path, tmp_path: Path) -> None:
    folder = tmp_path / "index"
    with serving() as server:
        index_folder(docs, folder, reached(server.url))
        server.entry = {"fingerprint": "0123456789abcdef"}
        with pytest.raises(FingerprintError, match="was made with mini"):
            Index.open(folder).search(QUESTION)
        (docs / "new.txt").write_text(NEW)
        with pytest.raises(FingerprintError, match="made differently"):
            index_folder(docs, folder, OPTIONS)


@pytest.mark.parametrize(
    ("tokenizer", "lengths"), [(None, "3 bytes a token"), ("mini", "tokenizer ")]
)
def test_it_says_how_its_passages_were_measured(
    tokenizer: str | None, lengths: str, docs: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "index"
    more = {} if tokenizer is None else {"tokenizer": tokenizer}
    with serving() as server:
        index_folder(docs, folder, reached(server.url, **more))
        facts = read_facts(read_layout(folder).generation())
        assert facts.lengths.startswith(lengths)
        assert facts.tokenizer == (tokenizer or "")
        # Passages that were cut otherwise would get among its own.
        other = {"tokenizer": "mini"} if tokenizer is None else {}
        (docs / "new.txt").write_text(NEW)
        options = reached(server.url, **other)
        if other:
            with pytest.raises(FingerprintError, match="passages measured by"):
                index_folder(docs, folder, options)
        else:
            assert index_folder(docs, folder, options).documents == 1


def test_passages_measured_by_bytes_are_read_whole(docs: Path, tmp_path: Path) -> None:
    # One token a byte: what three bytes a token underrates most.
    (docs / "odd.txt").write_text("%&/()=?+ " * 300)
    with serving() as server:
        tally = index_folder(docs, tmp_path / "index", reached(server.url))
        assert (tally.documents, tally.failures) == (8, {})
        tokens = [
            mini().tokenizer.count(text, "passage: ")
            for body in server.asked
            for text in body["input"]
        ]
        assert 200 < max(tokens) <= 512


def test_a_model_that_is_not_served_leaves_no_index(docs: Path, tmp_path: Path) -> None:
    with serving() as server, pytest.raises(UnknownModelError, match="it serves mini"):
        index_folder(docs, tmp_path / "index", replace(OPTIONS, model="300m", server=server.url))
    assert not (tmp_path / "index").exists()


def test_the_300m_behind_a_nim_is_indexed_and_searched(docs: Path, tmp_path: Path) -> None:
    """A stand-in gives `mini`'s vectors, filled up to the 300m's 2,048 numbers."""
    name = "nvidia/llama-3.2-nemoretriever-300m-embed-v2"

    def widen(number: int, body: Json, right: Json) -> Json:
        options = {"role": "query" if body["input_type"] == "query" else "document"}
        (window,) = mini().encode_stream(body["input"], **options)  # type: ignore[arg-type]
        wide = np.pad(window.vectors, ((0, 0), (0, 2048 - 384)))[:, : body.get("dimensions", 2048)]
        data = [{"index": i, "embedding": row.tolist()} for i, row in enumerate(wide)]
        return right | {"data": data}

    folder = tmp_path / "index"
    with serving(states=False, id=name, meddle=widen) as server:
        index_folder(docs, folder, replace(OPTIONS, model=name, server=server.url))
        index = Index.open(folder)
        assert index.facts.model == name
        assert (index.facts.dimensions, index.facts.candidates) == (2048, "prefix 512")
        assert index.search(QUESTION)[0].source == "lakes.md"


def test_search_in_memory_and_evaluation_ask_the_server(docs: Path, tmp_path: Path) -> None:
    texts = [("lakes", "", "An oxbow lake is a cut-off bend."), ("bees", "", "Bees dance.")]
    judged = tmp_path / "judged"
    (judged / "qrels").mkdir(parents=True)
    lines = [json.dumps({"_id": id_, "title": "", "text": text}) for id_, _, text in texts]
    (judged / "corpus.jsonl").write_text("\n".join(lines))
    (judged / "queries.jsonl").write_text(json.dumps({"_id": "q", "text": QUESTION}))
    (judged / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq\tlakes\t1\n")
    with serving() as server:
        remote = Embedder.connect(server.url, "mini")
        memory = MemoryIndex(remote)
        assert sum(memory.add(texts)) == 2
        assert memory.search(QUESTION, top_k=1)[0].source == "lakes"
        result, _ = evaluate(remote, judged)
    assert result.metrics["ndcg@10"] == 1
    assert result.model["fingerprint"] == mini().fingerprint()
    assert (result.model["device"], result.model["dtype"]) == ("server", "float32")
