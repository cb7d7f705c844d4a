"""Every example runs, does what it says, and is listed."""

from __future__ import annotations

import ast
import asyncio
import importlib.util
import json
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.serve.clients import QUESTION, TEXTS, as_passages, as_query, same, served
from tests.serve.wire_client import mini

from biencoder.index.build import index_folder

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
README = (EXAMPLES / "README.md").read_text(encoding="utf-8")
ADDRESS = "http://127.0.0.1:8000"


def example(name: str) -> ModuleType:
    """An example as a module."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


# --- The cards' samples -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The server that the README starts."""
    line = re.search(r"^\$ biencoder serve (.+)$", README, re.MULTILINE)
    assert line is not None
    with served(*shlex.split(line[1])) as base:
        yield base


def at(address: str, name: str, folder: Path) -> Path:
    """A sample with another address and without any other change."""
    text = (EXAMPLES / "cards" / name).read_text(encoding="utf-8")
    assert text.count(ADDRESS) == 1
    (folder / name).write_text(text.replace(ADDRESS, address), encoding="utf-8")
    return folder / name


def test_the_cards_curl_sample(address: str, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("the program curl is not installed")
    command = ["sh", str(at(address, "curl.sh", tmp_path))]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    head, body = said.split("\n\n", 1)
    assert head.startswith("HTTP/1.1 200")
    assert "x-biencoder-input-type: query;default" in head
    answer = json.loads(body)
    same(answer["data"][0]["embedding"], as_query())
    assert answer["model"] == "mini"


def test_the_cards_openai_sample_and_which_model_answered(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runpy.run_path(str(at(address, "openai_client.py", tmp_path)))
    vector, model = capsys.readouterr().out.splitlines()
    same(ast.literal_eval(vector), as_query())
    assert model == "mini"


def test_the_cards_langchain_sample(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runpy.run_path(str(at(address, "langchain_client.py", tmp_path)))
    same(ast.literal_eval(capsys.readouterr().out), as_query())


# --- Answers with citations ---------------------------------------------------------------------

SENDS_FILES = "how do I let people upload files?"


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("answers")
    (folder / "documents").mkdir()
    for name in ("request-files.md", "cors.md"):
        shutil.copy(EXAMPLES / "documents" / "fastapi" / "tutorial" / name, folder / "documents")
    index_folder(folder / "documents", folder / "index", embedder=mini())
    return folder / "index"


class StandIn(ThreadingHTTPServer):
    """An LLM: what it says is made from the request, which it keeps."""

    daemon_threads = True

    def __init__(self, say: Callable[[str], str | None]) -> None:
        super().__init__(("127.0.0.1", 0), _Chat)
        self.say = say
        self.asked: list[tuple[dict[str, Any], str | None]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class _Chat(BaseHTTPRequestHandler):
    server: StandIn

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append((body, self.headers["authorization"]))
        said = self.server.say(body["messages"][-1]["content"])
        known = self.path == "/v1/chat/completions"
        answer = {"choices": [{"message": {"role": "assistant", "content": said}}]} if known else {}
        content = json.dumps(answer).encode()
        self.send_response(200 if known else 404)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@contextmanager
def llm(say: Callable[[str], str | None]) -> Iterator[StandIn]:
    with StandIn(say) as server:
        running = threading.Thread(target=server.serve_forever, args=(0.01,))
        running.start()
        try:
            yield server
        finally:
            server.shutdown()
            running.join()


def number_of(source: str, prompt: str) -> int:
    """The number under which the first passage of a file was sent."""
    found = re.search(rf"^\[(\d)\] {re.escape(source)}", prompt, re.MULTILINE)
    assert found is not None
    return int(found[1])


def ask(index: Path, address: str, *more: str) -> int:
    arguments = [SENDS_FILES, "--index", str(index), "--llm", address, "--llm-model", "small"]
    code: int = example("answer").main([*arguments, *more])
    return code


def test_an_answer_names_the_sources_that_it_cites(
    index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "key").write_text("secret\n")
    with llm(lambda sent: f"With `UploadFile` [{number_of('request-files.md', sent)}].") as server:
        assert ask(index, server.address, "--api-key-file", str(tmp_path / "key")) == 0
    said = capsys.readouterr().out
    assert said.startswith("With `UploadFile` [")
    assert re.search(r"Sources:\n  \[\d\] request-files.md, .+\n$", said)
    ((body, authorization),) = server.asked
    assert (body["model"], authorization) == ("small", "Bearer secret")
    sent = body["messages"][-1]["content"]
    assert re.findall(r"^\[(\d)\] ", sent, re.MULTILINE) == ["1", "2", "3", "4", "5"]
    assert "UploadFile" in sent
    assert sent.endswith(f"Question: {SENDS_FILES}")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("So [1], or so [9].", "[9] does not exist: the LLM was given 5 passages"),
        ("Trust me.", "none: nothing in this answer is backed by a passage"),
    ],
)
def test_a_citation_that_does_not_exist_and_one_that_is_missing_are_told(
    index: Path, capsys: pytest.CaptureFixture[str], said: str, told: str
) -> None:
    with llm(lambda sent: said) as server:
        assert ask(index, server.address) == 1
    assert told in capsys.readouterr().out


def test_an_llm_that_cannot_be_asked_is_one_sentence(
    index: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with llm(lambda sent: None) as server:
        assert ask(index, server.address) == 2
        assert ask(index, f"{server.address}/v2") == 2
    assert ask(index, server.address) == 2
    silent, wrong, gone = capsys.readouterr().err.splitlines()
    assert silent.endswith("has answered without a text")
    assert "/v1/v2/chat/completions says 404" in wrong
    assert gone.startswith("no LLM answers at http://127.0.0.1")


@pytest.mark.parametrize(
    ("text", "cited", "unknown"),
    [
        ("a [2][1] b [2]", "ba", ()),
        ("a [1, 3] b [4]", "ac", (4,)),
        ("a [1-3]; b [0]", "ac", (0,)),
        ("a [x] (1) [] 2", "", ()),
    ],
)
def test_each_number_in_brackets_is_held_against_the_passages(
    text: str, cited: str, unknown: tuple[int, ...]
) -> None:
    found = example("answer").checked(text, "abc")
    assert ("".join(found.cited), found.unknown) == (cited, unknown)


# --- Frameworks in this process -----------------------------------------------------------------


@pytest.mark.parametrize("name", ["langchain_embeddings", "llama_index_embeddings"])
def test_a_framework_finds_the_lake(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    first, second = capsys.readouterr().out.splitlines()
    assert "oxbow lake" in first
    assert float(first.split()[0]) > float(second.split()[0]) + 0.3


def test_langchains_queries_and_documents_are_the_librarys() -> None:
    kind = example("langchain_embeddings").BiencoderEmbeddings
    embeddings = kind(mini())
    same(embeddings.embed_query(QUESTION), as_query())
    same(embeddings.embed_documents(TEXTS), as_passages())
    same(asyncio.run(embeddings.aembed_query(QUESTION)), as_query())
    same(kind(mini(), dimensions=64).embed_query(QUESTION), as_query(dimensions=64))


def test_llama_indexs_queries_and_texts_are_the_librarys() -> None:
    embedding = example("llama_index_embeddings").BiencoderEmbedding(mini(), embed_batch_size=2)
    same(embedding.get_query_embedding(QUESTION), as_query())
    same(embedding.get_text_embedding_batch(TEXTS), as_passages())
    same(embedding.get_text_embedding(TEXTS[1]), as_passages()[1])
    same(asyncio.run(embedding.aget_query_embedding(QUESTION)), as_query())
    assert embedding.to_dict()["model_name"] == "mini"


# --- The list -----------------------------------------------------------------------------------


def test_every_example_is_listed_and_every_command_is_for_one_that_exists() -> None:
    scripts = {str(path.relative_to(EXAMPLES)) for path in EXAMPLES.glob("*.py")}
    scripts |= {str(path.relative_to(EXAMPLES)) for path in EXAMPLES.glob("cards/*")}
    links = set(re.findall(r"\]\((?!https?:)([^)#]+)\)", README))
    assert scripts <= links
    assert [link for link in links if not (EXAMPLES / link).exists()] == []
    commands = re.findall(r"`(?:python|sh) examples/(\S+?)[ `]", README)
    assert scripts <= set(commands) <= scripts | {"export/to_faiss.py"}


def test_the_listed_command_of_the_answers_is_one_it_takes() -> None:
    line = re.search(r"`python examples/answer.py (.+?)`", README)
    assert line is not None
    parsed = example("answer")._parser().parse_args(shlex.split(line[1]))
    assert parsed.index == Path("my-index")
