"""Everything that the README shows runs."""

from __future__ import annotations

import gzip
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.commands import succeeds

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_python_blocks_run_one_after_another(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workplace)
    blocks = _blocks("python")
    assert len(blocks) >= 2
    scope: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), scope)


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all lines: later ones read what earlier ones wrote.

    What is judged there is thinned: every line runs, and none is measured here.
    """
    folder = tmp_path_factory.mktemp("readme")
    (folder / "examples").mkdir()
    for path in (ROOT / "examples").iterdir():
        if path.name in ("fastapi-docs", "xquad"):
            for language in path.glob("*/corpus.jsonl.gz"):
                _thin(language.parent, folder / "examples" / path.name / language.parent.name)
        else:
            (folder / "examples" / path.name).symlink_to(path)
    return folder


def _thin(whole: Path, thin: Path) -> None:
    """Every fourth document, with the questions that it answers."""
    (thin / "qrels").mkdir(parents=True)
    with gzip.open(whole / "corpus.jsonl.gz", "rt", encoding="utf-8") as corpus:
        rows = [json.loads(line) for line in corpus]
    kept = set(sorted(row["_id"] for row in rows)[::4])
    header, *lines = (whole / "qrels" / "test.tsv").read_text("utf-8").splitlines()
    judged = [line for line in lines if line.split("\t")[1] in kept]
    asked = {line.split("\t")[0] for line in judged}
    assert len(asked) > 50
    (thin / "qrels" / "test.tsv").write_text("\n".join([header, *judged]) + "\n", "utf-8")
    with gzip.open(thin / "corpus.jsonl.gz", "wt", encoding="utf-8") as corpus:
        corpus.writelines(json.dumps(row) + "\n" for row in rows if row["_id"] in kept)
    with (whole / "queries.jsonl").open(encoding="utf-8") as queries:
        own = [line for line in queries if json.loads(line)["_id"] in asked]
    (thin / "queries.jsonl").write_text("".join(own), "utf-8")


def test_every_measured_block_says_what_the_result_files_say() -> None:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    import readme_blocks

    assert set(re.findall(r"<!-- measured: (\w+) -->", README)) == set(readme_blocks.BLOCKS)
    assert readme_blocks.with_blocks(README) == README


@pytest.mark.parametrize(
    "line", [line[2:] for block in _blocks("console") for line in block.splitlines()]
)
def test_every_command_line_runs(
    line: str, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workplace)
    words = shlex.split(line)
    assert words[0] == "biencoder"
    succeeds(*words[1:])
    if words[1:3] == ["index", "examples/documents"]:
        # The demo indexes the same folder: it goes on from a copy, as in its second run.
        shutil.copytree("my-index", "demo-index")


def test_the_demo_shows_where_dense_search_wins_and_where_it_loses(workplace: Path) -> None:
    demo = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "demo.py")],
        cwd=workplace,
        capture_output=True,
        text=True,
        check=True,
    )
    rows = re.findall(r"^(.+?) {2,}(\d+|–) +(\d+|–) +(\d+|–)$", demo.stdout, re.MULTILINE)
    places = {question: tuple(found) for question, *found in rows}
    assert len(places) == 7
    assert all(hybrid == "1" for _, _, hybrid in places.values())
    assert places["run something after the answer was sent"][:2] == ("1", "–")
    assert places["DEN08WA042"][:2] == ("–", "1")
    assert "fastapi/tutorial/request-files.md" in demo.stdout
    assert "page 2" in demo.stdout


def test_every_linked_file_exists() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_make_targets_it_names_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)", README, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
