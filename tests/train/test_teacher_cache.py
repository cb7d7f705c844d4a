"""A text is encoded once, ever; a cache belongs to one teacher; a kill leaves no wrong row."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from biencoder.errors import InputError
from biencoder.train import teacher_cache
from biencoder.train.teacher_cache import TeacherCache
from biencoder.types import FloatArray

TEACHER: dict[str, str | int] = {"teacher": "counting", "max_tokens": 8}


class Counting:
    """A teacher whose vector tells the text's length and its first character."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def __call__(self, texts: Sequence[str]) -> FloatArray:
        self.seen.extend(texts)
        return np.asarray([[len(text), ord(text[0])] for text in texts], dtype=np.float32)


def fill(cache: TeacherCache, texts: Sequence[str], teacher: Counting) -> list[int]:
    return list(cache.fill(texts, teacher))


def test_each_text_is_encoded_once_over_all_runs(tmp_path: Path) -> None:
    teacher = Counting()
    cache = TeacherCache(tmp_path, teacher=TEACHER)
    fill(cache, ["a", "bb", "a"], teacher)
    fill(cache, ["bb", "ccc"], teacher)
    again = TeacherCache(tmp_path, teacher=TEACHER)
    fill(again, ["ccc", "a", "dddd"], teacher)
    assert teacher.seen == ["a", "bb", "ccc", "dddd"]
    assert len(again) == 4
    expected = [[3, ord("c")], [1, ord("a")], [3, ord("c")], [4, ord("d")]]
    assert again.vectors(["ccc", "a", "ccc", "dddd"]).tolist() == expected
    assert again.vectors(["a"]).dtype == np.float32


def test_progress_is_told_shard_by_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teacher_cache, "SHARD_ROWS", 2)
    cache = TeacherCache(tmp_path, teacher=TEACHER)
    assert fill(cache, list("abcde"), Counting()) == [2, 4, 5]
    assert len(list(tmp_path.glob("keys-*.npy"))) == 3


def test_another_teacher_is_refused(tmp_path: Path) -> None:
    TeacherCache(tmp_path, teacher=TEACHER)
    with pytest.raises(InputError, match="was filled by"):
        TeacherCache(tmp_path, teacher=TEACHER | {"max_tokens": 9})


def test_a_text_without_a_vector_is_an_error_that_shows_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'never seen'"):
        TeacherCache(tmp_path, teacher=TEACHER).vectors(["never seen"])


@pytest.mark.parametrize("leftover", ["vectors-00001.npy", "keys-00001.npy.tmp"])
def test_a_kill_between_vectors_and_keys_leaves_no_wrong_row(tmp_path: Path, leftover: str) -> None:
    teacher = Counting()
    fill(TeacherCache(tmp_path, teacher=TEACHER), ["a"], teacher)
    (tmp_path / leftover).write_bytes(b"half a file")
    cache = TeacherCache(tmp_path, teacher=TEACHER)
    assert cache.missing(["a", "bb"]) == ["bb"]
    fill(cache, ["bb"], teacher)
    again = TeacherCache(tmp_path, teacher=TEACHER)
    assert again.vectors(["a", "bb"]).tolist() == [[1, ord("a")], [2, ord("b")]]


def test_an_abandoned_filling_keeps_its_whole_shards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(teacher_cache, "SHARD_ROWS", 2)
    filling = TeacherCache(tmp_path, teacher=TEACHER).fill(list("abcde"), Counting())
    assert next(filling) == 2
    again = TeacherCache(tmp_path, teacher=TEACHER)
    assert again.missing(list("abcde")) == list("cde")
