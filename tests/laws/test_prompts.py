"""The exact string and the exact ids that reach the model, for every member."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests import tiny

from biencoder.batching import pack
from biencoder.config.family import FAMILY, member_named
from biencoder.config.prompts import BRIGHT_INSTRUCTIONS
from biencoder.embedder import stream
from biencoder.embedder.embedder import Embedder
from biencoder.embedder.notices import LicenceWarning, PromptWarning
from biencoder.errors import InputError
from biencoder.types import IntArray

pytestmark = pytest.mark.filterwarnings(f"ignore::{LicenceWarning.__module__}.LicenceWarning")

RETRIEVAL = "Instruct: Given a question, retrieve passages that answer the question\nQuery: "
# Written out, not built: a template with a mistake would build the same mistake here.
BRIGHT = {
    "biology": "Given a Biology post, retrieve relevant passages that help answer the post.",
    "earth_science": "Given an Earth Science post, retrieve relevant passages that help answer the post.",
    "economics": "Given an Economics post, retrieve relevant passages that help answer the post.",
    "psychology": "Given a Psychology post, retrieve relevant passages that help answer the post.",
    "robotics": "Given a Robotics post, retrieve relevant passages that help answer the post.",
    "stackoverflow": "Given a Stack Overflow post, retrieve relevant passages that help answer the post.",
    "sustainable_living": "Given a Sustainable Living post, retrieve relevant passages that help answer the post.",
    "leetcode": "Given a Coding problem, retrieve relevant examples that help answer the problem.",
    "pony": "Given a Pony question, retrieve relevant passages that help answer the question.",
    "aops": "Given a Math problem, retrieve relevant examples that help answer the problem.",
    "theoremqa_questions": "Given a Math problem, retrieve relevant examples that help answer the problem.",
    "theoremqa_theorems": "Given a Math problem, retrieve relevant theorems that help answer the problem.",
}


class Seen:
    """The token lists that reached the model, taken where they are packed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ids: list[IntArray] = []

        def spy(ids: list[IntArray], **options: Any) -> Any:
            self.ids.extend(ids)
            return pack.pack(ids, **options)

        monkeypatch.setattr(stream, "pack", spy)

    def strings(self) -> list[str]:
        tokenizer = tiny.tokenizer()
        return [tokenizer.decode(row.tolist(), skip_special_tokens=False) for row in self.ids]


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    return Seen(monkeypatch)


def load(tmp_path: Path, shape: str) -> Embedder:
    folder = tiny.name_member(tiny.write_checkpoint(tmp_path / shape, shape), shape)
    return Embedder.load(folder, dtype="float32", device="cpu")


@pytest.mark.parametrize(
    ("shape", "query", "document"),
    [
        ("1b", "query: ", "passage: "),
        ("300m", "query: ", "passage: "),
        ("3b", "query: ", "passage: "),
        ("8b", RETRIEVAL, ""),
    ],
)
def test_each_member_reads_its_own_prompt_in_one_string_with_the_text(
    shape: str, query: str, document: str, tmp_path: Path, seen: Seen
) -> None:
    model = load(tmp_path, shape)
    text = "where do lakes come from?"
    model.encode_queries([text])
    model.encode_documents([text])
    assert seen.strings() == [
        f"<|begin_of_text|>{query}{text}",
        f"<|begin_of_text|>{document}{text}",
    ]
    for ids, prompt in zip(seen.ids, (query, document), strict=True):
        assert ids.tolist() == tiny.tokenizer().encode(prompt + text).ids


@pytest.mark.parametrize("text", ["lake", "", "query: lake", " lake", "a\nb"])
def test_bos_stands_once_in_front_and_no_eos_behind(model: Embedder, seen: Seen, text: str) -> None:
    model.encode_queries([text])
    (ids,) = seen.ids
    assert ids[0] == tiny.BOS
    assert tiny.BOS not in ids[1:]
    assert tiny.EOS not in ids


def test_a_text_that_begins_like_a_prompt_still_gets_the_prompt(
    model: Embedder, seen: Seen
) -> None:
    model.encode_queries(["query: lake"])
    assert seen.strings() == ["<|begin_of_text|>query: query: lake"]


def test_the_tokenizer_joins_the_prompts_space_to_the_first_word() -> None:
    tokenizer = tiny.tokenizer()
    whole = tokenizer.encode("query: the").ids
    apart = tokenizer.encode("query: ").ids + tokenizer.encode("the", add_special_tokens=False).ids
    assert whole != apart, "the tiny tokenizer could not show a prompt that is encoded apart"


@pytest.mark.parametrize("task", BRIGHT)
def test_each_bright_instruction_is_passed_word_by_word(
    task: str, tmp_path: Path, seen: Seen
) -> None:
    model = load(tmp_path, "3b")
    model.encode_queries(["why?"], instruction=task)
    assert seen.strings() == [f"<|begin_of_text|>Instruct: {BRIGHT[task]}\nQuery: why?"]


def test_there_are_twelve_bright_instructions() -> None:
    assert BRIGHT_INSTRUCTIONS == BRIGHT
    assert len(BRIGHT) == 12


def test_an_unknown_bright_name_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="did you mean 'biology'"):
        load(tmp_path, "3b").encode_queries(["why?"], instruction="biolgy")


def test_the_8b_takes_any_instruction_and_an_empty_one_means_no_wrapper(
    tmp_path: Path, seen: Seen
) -> None:
    model = load(tmp_path, "8b")
    model.encode_queries(["why?"], instruction="Retrieve parallel sentences")
    model.encode_queries(["why?"], instruction="")
    assert seen.strings() == [
        "<|begin_of_text|>Instruct: Retrieve parallel sentences\nQuery: why?",
        "<|begin_of_text|>why?",
    ]


def test_an_instruction_with_braces_is_taken_literally(tmp_path: Path, seen: Seen) -> None:
    load(tmp_path, "8b").encode_queries(["why?"], instruction="Find {this}")
    assert seen.strings() == ["<|begin_of_text|>Instruct: Find {this}\nQuery: why?"]


@pytest.mark.parametrize("shape", ["1b", "300m"])
def test_a_model_with_a_fixed_prompt_refuses_an_instruction(shape: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="takes no instruction"):
        load(tmp_path, shape).encode_queries(["why?"], instruction="Retrieve")


def test_the_files_of_a_checkpoint_win_over_the_table(tmp_path: Path, seen: Seen) -> None:
    folder = tiny.name_member(tiny.write_checkpoint(tmp_path / "1b"), "1b")
    tiny.write_json(
        folder / "config_sentence_transformers.json",
        {"prompts": {"query": "Q> ", "document": ""}},
    )
    model = Embedder.load(folder, dtype="float32", device="cpu")
    model.encode_queries(["x"])
    model.encode_documents(["x"])
    assert seen.strings() == ["<|begin_of_text|>Q> x", "<|begin_of_text|>x"]


def test_a_folder_without_any_known_prompt_says_so(tmp_path: Path, seen: Seen) -> None:
    folder = tiny.write_checkpoint(tmp_path / "unknown", prompts=False)
    with pytest.warns(PromptWarning, match="no prompts are known"):
        model = Embedder.load(folder, dtype="float32", device="cpu")
    model.encode_queries(["x"])
    assert seen.strings() == ["<|begin_of_text|>x"]


def test_every_alias_leads_to_its_member_whatever_the_case() -> None:
    for member in FAMILY:
        for name in (member.id, member.name, *member.aliases):
            assert member_named(name) is member
            assert member_named(name.upper()) is member


def test_a_special_token_in_a_text_becomes_a_control_token(model: Embedder, seen: Seen) -> None:
    model.encode_queries(["a<|end_of_text|>b"])
    assert seen.ids[0].tolist() == tiny.tokenizer().encode("query: a<|end_of_text|>b").ids
    assert tiny.EOS in seen.ids[0]


def test_several_texts_reach_the_model_each_with_its_prompt(model: Embedder, seen: Seen) -> None:
    model.encode_documents(tiny.TEXTS)
    expected = [tiny.tokenizer().encode(tiny.PASSAGE + text).ids for text in tiny.TEXTS]
    assert [row.tolist() for row in seen.ids] == expected
    assert all(row.dtype == np.int64 for row in seen.ids)
