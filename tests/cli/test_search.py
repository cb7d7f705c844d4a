"""`biencoder search`: the right passage first, with its place; JSON that programs can read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.small_sets import cut_set
from tests.commands import fails, run, succeeds

CORPUS = Path(__file__).parent.parent.parent / "examples" / "fastapi-docs" / "en"


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "rivers.md").write_text(
        "# Rivers\n\n" + "A river flows downhill to the sea. " * 40
        + "\n\n## Oxbow lakes\n\nWhen a river cuts off a bend, the bend becomes an oxbow lake.\n"
    )  # fmt: skip
    (folder / "tea.txt").write_text("Tea is brewed with hot water.\n\nGreen tea wants less heat.\n")
    (folder / "photo.png").write_bytes(b"\x89PNG")
    (folder / ".hidden.txt").write_text("oxbow lake oxbow lake")
    return folder


def test_the_best_passage_comes_first_with_source_and_place(notes: Path) -> None:
    code, out, err = run("search", "how does an oxbow lake form?", "--in", notes, "--json")
    assert code == 0, err
    hits = json.loads(out)
    assert [hit["rank"] for hit in hits] == list(range(1, len(hits) + 1))
    assert hits[0]["source"] == "rivers.md"
    assert "oxbow lake" in hits[0]["text"]
    text = (notes / "rivers.md").read_text()
    assert text[hits[0]["start"] :].startswith(hits[0]["text"])
    assert [hit["score"] for hit in hits] == sorted((hit["score"] for hit in hits), reverse=True)


def test_files_that_are_no_text_are_named_and_hidden_ones_are_not_read(notes: Path) -> None:
    _, out, err = run("search", "oxbow lake", "--in", notes, "--json")
    assert "photo.png" in err
    assert all(hit["source"] != ".hidden.txt" for hit in json.loads(out))


def test_people_see_rank_score_source_and_snippet(notes: Path) -> None:
    output = succeeds("search", "how hot should green tea be?", "--in", notes, "--top-k", 1)
    assert "1. 0." in output
    assert "tea.txt" in output
    assert "Green tea wants less heat" in output


def test_a_real_corpus_answers(tmp_path: Path) -> None:
    corpus = cut_set(CORPUS, tmp_path / "corpus", 12, also=["tutorial/request-files"])
    _, out, _ = run("search", "let a client upload a file", "--in", corpus, "--json")
    assert "tutorial/request-files" in [hit["source"] for hit in json.loads(out)]


def test_a_question_that_is_too_long_is_called_a_question(notes: Path) -> None:
    message = fails("the question is too long", "search", "river bend " * 9000, "--in", notes)
    assert "the model reads at most 512" in message
    assert "in fewer words" in message
    assert "truncate" not in message


@pytest.mark.parametrize(
    ("message", "question", "corpus"),
    [
        ("no file or folder", "tea", "missing"),
        ("corpus is empty", "tea", "blank.txt"),
        ("holds no file that can be read", "tea", "pictures"),
        ("question is empty", "  ", "tea.txt"),
        ("not UTF-8", "tea", "latin.txt"),
    ],
)
def test_a_fault_is_one_sentence(message: str, question: str, corpus: str, tmp_path: Path) -> None:
    (tmp_path / "blank.txt").write_text("  \n")
    (tmp_path / "tea.txt").write_text("tea")
    (tmp_path / "latin.txt").write_bytes("caf\xe9".encode("latin-1"))
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.png").write_bytes(b"")
    fails(message, "search", question, "--in", tmp_path / corpus)
