"""Snippets show the place that matches, on one line."""

from __future__ import annotations

from biencoder.text.snippet import question_words, snippet

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
