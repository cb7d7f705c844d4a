"""Snippets show the place that matches, on one line."""

from __future__ import annotations

import pytest

from biencoder.text.snippet import matches, question_words, snippet

LONG = "Rivers run to the sea. " * 30 + "An oxbow lake is a cut-off bend. " + "Rain falls. " * 30


def test_a_short_text_is_shown_whole_on_one_line() -> None:
    assert snippet("Tea\n\n  is hot.", "tea") == "Tea is hot."


def test_the_window_holds_the_words_of_the_question_and_its_cuts_are_marked() -> None:
    shown = snippet(LONG, "what is an oxbow lake?", characters=80)
    assert "oxbow lake" in shown
    assert shown.startswith("… ")
    assert shown.endswith(" …")
    assert len(shown) <= 84


def test_without_a_match_the_beginning_is_shown() -> None:
    assert snippet(LONG, "volcano", characters=50).startswith("Rivers run")


def test_words_that_match_everywhere_are_not_shown_as_matches() -> None:
    assert question_words("What is the Oxbow?") == {"oxbow"}


CHINESE = "这是一个关于别的事情的段落。" * 60 + "北京的冬天非常寒冷。" + "其他的话。" * 60
JAPANESE = "これは別の話です。" * 60 + "東京の夏はとても暑い。" + "ほかの話。" * 60
THAI = "นี่เป็นเรื่องอื่น" * 40 + "กรุงเทพร้อนมาก" + "เรื่องอื่น" * 40


@pytest.mark.parametrize(
    ("text", "question", "match"),
    [
        (CHINESE, "北京的冬天冷吗？", "北京的冬天"),
        (JAPANESE, "東京の夏", "東京の夏"),
        (THAI, "กรุงเทพ", "กรุงเทพ"),
        ("Nothing here at all. " * 30 + "The pilots reported smoke.", "which pilot?", "pilots"),
        ("हवाई " * 99 + "हिन्दी में", "हिन्दी", "हिन्दी"),
    ],
)
@pytest.mark.parametrize("characters", [50, 240])
def test_in_any_script_the_match_is_shown_marked_and_the_rest_cut_to_length(
    text: str, question: str, match: str, characters: int
) -> None:
    shown = snippet(text, question, characters=characters)
    assert len(shown) <= characters + 4
    assert match in [shown[start:stop] for start, stop in matches(shown, question)]


def test_without_a_match_text_without_blanks_is_cut_too() -> None:
    assert snippet(CHINESE, "volcano", characters=50) == CHINESE[:50] + " …"


def test_a_sentence_in_a_script_without_blanks_is_shown_from_its_beginning() -> None:
    assert snippet(CHINESE, "冬天", characters=60).startswith("… 北京的冬天")


def test_no_cut_parts_a_letter_from_its_mark() -> None:
    shown = snippet("कि" * 500, "volcano", characters=51)
    assert shown == "कि" * 25 + " …"


def test_one_character_of_a_script_without_blanks_matches_wherever_it_stands() -> None:
    assert matches("我们喝茶吗", "茶") == [(3, 4)]


@pytest.mark.parametrize("text", ["pilots", "Pilot", "PILOTED", "pilot's"])
def test_a_word_matches_by_its_english_endings_in_any_letter_case(text: str) -> None:
    ((start, stop),) = matches(f"the {text}", "pilot")
    assert text.startswith(f"the {text}"[start:stop])


def test_neighbouring_matches_are_one_and_a_part_of_a_word_is_none() -> None:
    assert matches("an oxbow lake, lakeside", "oxbow lake") == [(3, 13)]


def test_no_window_has_more_matches_and_the_first_of_equals_is_taken() -> None:
    text = "tea " + "x " * 200 + "tea cup tea " + "x " * 200 + "tea cup tea"
    assert snippet(text, "tea cup", characters=30).startswith("… tea cup tea x")
