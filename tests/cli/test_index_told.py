"""What people are told of an index: which documents, what was lost, commands that can be pasted."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from tests.cli.made_index import live
from tests.commands import fails, run, succeeds
from tests.index.made_documents import write_documents
from tests.reading import made

from biencoder import Embedder
from biencoder.cli import show_index
from biencoder.index.build import Options
from biencoder.index.rewrite import reindex
from biencoder.index.table_files import RecoveryWarning

GREEK = "Η λίμνη είναι ένα αποκομμένο τμήμα ποταμού. " * 3


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    return write_documents(tmp_path / "docs")


@pytest.fixture
def to(tmp_path: Path) -> Path:
    return tmp_path / "my index"


def test_a_document_with_hardly_readable_passages_is_named(docs: Path, to: Path) -> None:
    pages = "".join(f"## Part {n}\n\n{'Lakes are wet. ' * 40}\n\n" for n in range(3))
    (docs / "mixed.md").write_text(f"# Mixed\n\n{pages}## Greek\n\n{GREEK * 10}", encoding="utf-8")
    code, out, err = run("index", docs, "--to", to, "--json")
    assert code == 0, err
    (named,) = json.loads(out)["hardly_read"]
    assert (named["source"], named["passages"]) == ("mixed.md", json.loads(out)["unreadable"])
    assert "hardly readable for the model" in err
    assert f"mixed.md: {named['passages']} passage" in err
    (noted,) = json.loads(succeeds_in("status", to, "--json"))["notes"]
    assert noted["file"] == "mixed.md"
    assert f"{named['passages']} of " in noted["notes"][0]
    assert "hardly readable for mini" in noted["notes"][0]
    assert "Worth knowing:\n  mixed.md: " in succeeds("status", to)
    (docs / "mixed.md").write_text("# Mixed no more\n\nLakes are wet.")
    run("index", docs, "--to", to)
    assert json.loads(succeeds_in("status", to, "--json"))["notes"] == []


def test_a_file_whose_encoding_was_guessed_is_not_said_to_have_lost_anything(
    docs: Path, to: Path
) -> None:
    (docs / "old.txt").write_bytes("Größe und Länge der Flüsse in der Nähe".encode("cp1252"))
    (docs / "half.pdf").write_bytes(made.pdf(["Tea grows on hills.", ""]))
    code, out, err = run("index", docs, "--to", to, "--json")
    assert code == 0, err
    lost = "Warning: 1 file not read whole, first half.pdf: 1 of 2 pages hold no text"
    assert lost in err
    assert "\n1 file read whole, its encoding or form guessed, first old.txt: decoded as" in err
    found = json.loads(out)
    assert [note["file"] for note in found["notes"]] == ["half.pdf"]
    assert [remark["file"] for remark in found["remarks"]] == ["old.txt"]


def test_the_command_in_a_hint_can_be_pasted(
    docs: Path, to: Path, checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    succeeds("index", docs, "--to", to)
    model = tmp_path / "a model"
    checkpoints["1b"].rename(model)
    try:
        err = fails("cannot be compared", "search", "oaks", "--in", to, "--model", model)
        assert _pasted(err) == ["reindex", str(to), "--model", str(model.resolve())]
        err = fails("was made differently", "index", docs, "--to", to, "--chunk-tokens", 90)
        pasted = ["reindex", str(to), "--model", "mini", "--chunk-tokens", "90"]
        assert _pasted(err)[: len(pasted)] == pasted
    finally:
        model.rename(checkpoints["1b"])


def _pasted(err: str) -> list[str]:
    command = err[err.index("biencoder reindex") :].splitlines()[0]
    return shlex.split(command)[1:]


def test_a_model_given_from_a_folder_is_kept_by_its_folder(
    docs: Path, to: Path, checkpoints: dict[str, Path]
) -> None:
    from biencoder.index.build import index_folder
    from biencoder.index.facts import read_facts

    index_folder(docs, to, embedder=Embedder.load(checkpoints["1b"]))
    assert read_facts(live(to)).model == str(checkpoints["1b"].resolve())


def test_a_reindexing_to_what_stands_there_does_nothing_unless_asked(docs: Path, to: Path) -> None:
    succeeds("index", docs, "--to", to, "--chunk-tokens", 90)
    code, out, err = run("reindex", to, "--model", "mini", "--json")
    assert (code, json.loads(out)["documents"], json.loads(out)["unchanged"]) == (0, 0, 7)
    assert "Nothing differs" in err
    assert live(to).name == "g1"
    assert json.loads(succeeds_in("reindex", to, "--again", "--json"))["documents"] == 7
    status = json.loads(succeeds_in("status", to, "--json"))
    assert (status["generation"], status["settings"]["chunk_tokens"]) == ("g2", 90)


def test_a_half_done_reindexing_to_other_settings_is_said_to_be_given_up(
    docs: Path, to: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    succeeds("index", docs, "--to", to)

    def stops(*values: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as stopped:
        stopped.setattr("biencoder.index.building.make_mirror", stops)
        assert run("reindex", to, "--dimensions", 64)[0] == 130
    given_up = r"mini \(64 dimensions, .* 200 tokens\) .* given up: 7 documents of it are dropped"
    with pytest.warns(RecoveryWarning, match=given_up):
        reindex(to, Options(dimensions=128))


def test_without_a_terminal_a_line_tells_now_and_then_how_far_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr("biencoder.cli.show_index.time.monotonic", lambda: now)
    with show_index.bar("indexing", 4_000, "documents") as tick:
        for _ in range(7):
            now += 10.0
            tick(20)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "indexing: 60 of 4,000 documents, 2.0/s, about 33 min left",
        "indexing: 120 of 4,000 documents, 2.0/s, about 32 min left",
    ]


def test_short_work_is_told_by_its_end_alone(docs: Path, to: Path) -> None:
    err = run("index", docs, "--to", to)[2]
    assert len(err.splitlines()) == 1


def test_status_speaks_of_documents_and_not_of_versions_and_pieces(docs: Path, to: Path) -> None:
    succeeds("index", docs, "--to", to)
    shown = succeeds("status", to)
    assert "version" not in shown
    assert "piece" not in shown
    left = live(to).table / "data" / "left-by-a-killed-run.lance"
    left.write_bytes(b"x")
    succeeds("index", docs, "--to", to)
    assert not left.exists()
    assert "damaged" not in succeeds("status", to)
    assert json.loads(succeeds_in("status", to, "--json"))["set_aside"] == 0


def succeeds_in(*arguments: object) -> str:
    """The standard output of a verb that must succeed."""
    code, out, err = run(*arguments)
    assert code == 0, err
    return out
