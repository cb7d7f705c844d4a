"""The sentence-transformers files: what they say is used, what is not applied here is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests import tiny

from biencoder.config.sentence_files import (
    SentenceFiles,
    read_sentence_files,
    write_sentence_files,
)
from biencoder.errors import ConfigError

OLD, NEW = "sentence_transformers.models", "sentence_transformers.base.modules"


def write(folder: Path, kinds: list[str], pooling: dict[str, Any], **transformer: Any) -> Path:
    modules = [
        {"idx": i, "name": str(i), "path": f"{i}_{kind.rsplit('.', 1)[-1]}", "type": kind}
        for i, kind in enumerate(kinds)
    ]
    tiny.write_json(folder / "modules.json", modules)
    tiny.write_json(folder / "1_Pooling" / "config.json", pooling)
    tiny.write_json(folder / "sentence_bert_config.json", transformer)
    return folder


MEAN = {"embedding_dimension": 64, "pooling_mode": "mean", "include_prompt": True}


@pytest.mark.parametrize(
    "pooling",
    [
        MEAN,
        {
            "word_embedding_dimension": 64,
            "pooling_mode_cls_token": False,
            "pooling_mode_mean_tokens": True,
            "pooling_mode_lasttoken": False,
        },
    ],
)
@pytest.mark.parametrize("base", [OLD, NEW, "sentence_transformers.sentence_transformer.modules"])
def test_both_spellings_and_all_import_paths_are_read(
    tmp_path: Path, base: str, pooling: dict[str, Any]
) -> None:
    kinds = [f"{base}.Transformer", f"{base}.Pooling", f"{base}.normalize.Normalize"]
    files = read_sentence_files(write(tmp_path, kinds, pooling, max_seq_length=99))
    assert (files.pooling, files.normalizes, files.max_tokens) == ("avg", True, 99)


@pytest.mark.parametrize(
    ("mode", "pooling"), [("cls", "cls"), ("lasttoken", "last"), ("mean", "avg")]
)
def test_pooling_modes_are_read(tmp_path: Path, mode: str, pooling: str) -> None:
    kinds = [f"{OLD}.Transformer", f"{OLD}.Pooling"]
    files = read_sentence_files(write(tmp_path, kinds, {"pooling_mode": mode}))
    assert (files.pooling, files.normalizes) == (pooling, False)


@pytest.mark.parametrize("extra", ["Dense", "LayerNorm", "WeightedLayerPooling"])
def test_a_module_that_is_not_applied_here_is_refused_by_name(tmp_path: Path, extra: str) -> None:
    kinds = [f"{OLD}.Transformer", f"{OLD}.Pooling", f"{OLD}.{extra}"]
    with pytest.raises(ConfigError, match=extra):
        read_sentence_files(write(tmp_path, kinds, MEAN))


@pytest.mark.parametrize(
    ("pooling", "transformer", "message"),
    [
        (MEAN | {"include_prompt": False}, {}, "prompt"),
        (MEAN, {"do_lower_case": True}, "do_lower_case"),
        ({"pooling_mode": "max"}, {}, "other than"),
        ({"pooling_mode": "weightedmean"}, {}, "other than"),
        ({"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": True}, {}, "other than"),
        ({"pooling_mode_max_tokens": True}, {}, "other than"),
        ({"pooling_mode_mean_tokens": False}, {}, "other than"),
    ],
)
def test_what_would_change_the_vectors_is_refused(
    tmp_path: Path, pooling: dict[str, Any], transformer: dict[str, Any], message: str
) -> None:
    kinds = [f"{OLD}.Transformer", f"{OLD}.Pooling"]
    with pytest.raises(ConfigError, match=message):
        read_sentence_files(write(tmp_path, kinds, pooling, **transformer))


def test_a_folder_without_the_files_is_silent(tmp_path: Path) -> None:
    files = read_sentence_files(tmp_path)
    assert files == SentenceFiles()


@pytest.mark.parametrize("document_key", ["document", "passage"])
def test_prompts_are_read_under_both_names(tmp_path: Path, document_key: str) -> None:
    path = tmp_path / "config_sentence_transformers.json"
    tiny.write_json(path, {"prompts": {"query": "q: ", document_key: "p: "}})
    files = read_sentence_files(tmp_path)
    assert (files.query_prompt, files.document_prompt) == ("q: ", "p: ")


@pytest.mark.parametrize("pooling", ["avg", "cls", "last"])
def test_what_is_written_is_read_back(tmp_path: Path, pooling: Any) -> None:
    config = replace(tiny.SHAPES["1b"], pooling=pooling)
    written = write_sentence_files(config, query_prompt="q: ", document_prompt="", max_tokens=77)
    for path, value in written.items():
        tiny.write_json(tmp_path / path, value)
    files = read_sentence_files(tmp_path)
    assert (files.query_prompt, files.document_prompt) == ("q: ", "")
    assert (files.pooling, files.max_tokens, files.normalizes) == (pooling, 77, True)
