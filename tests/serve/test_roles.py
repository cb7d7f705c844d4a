"""Where a role comes from, in which order, and what contradicts what."""

from __future__ import annotations

import pytest

from biencoder.config.family import NEMOTRON_8B, REASONING_3B
from biencoder.config.prompts import Prompts
from biencoder.serve.embeddings.messages import Message, MessageRole
from biencoder.serve.embeddings.roles import Roles, check_instruction, choose_roles, library_role
from biencoder.serve.embeddings.wire import EmbeddingRequest
from biencoder.serve.errors import ApiError
from biencoder.serve.settings import WireRole

ASYMMETRIC = Prompts(query="query: ", document="passage: ")
SYMMETRIC = Prompts(query="", document="")


def roles_of(
    input_type: str | None = None,
    suffix: WireRole | None = None,
    default: WireRole | None = None,
    prompts: Prompts = ASYMMETRIC,
    messages: tuple[MessageRole, ...] = (),
) -> Roles:
    request = EmbeddingRequest(
        model="m",
        texts=["a"] * (len(messages) or 2),
        messages=tuple(Message(role, "a", ()) for role in messages) or None,
        input_type=input_type,
    )
    return choose_roles(request, suffix, prompts=prompts, default=default)


def test_the_wire_says_passage_where_the_library_says_document() -> None:
    assert library_role("passage") == "document"
    assert library_role("query") == "query"


@pytest.mark.parametrize("role", ["query", "passage"])
def test_field_and_suffix_say_the_role_and_may_agree(role: WireRole) -> None:
    told = Roles((role, role))
    assert roles_of(input_type=role) == told
    assert roles_of(input_type=role.upper()) == told
    assert roles_of(suffix=role) == told
    assert roles_of(input_type=role, suffix=role) == told
    other: WireRole = "query" if role == "passage" else "passage"
    assert roles_of(input_type=role, default=other) == told


def test_field_and_suffix_that_differ_are_refused_with_both() -> None:
    with pytest.raises(ApiError) as refusal:
        roles_of(input_type="passage", suffix="query")
    assert refusal.value.code == "invalid_input_type"
    assert "'-query'" in refusal.value.message
    assert "input_type is 'passage'" in refusal.value.message


def test_a_role_that_nobody_said_is_not_guessed() -> None:
    with pytest.raises(ApiError) as refusal:
        roles_of()
    assert refusal.value.code == "missing_input_type"
    assert refusal.value.message == "'input_type' parameter is required for asymmetric models"


def test_the_setting_says_it_where_it_is_set() -> None:
    assert roles_of(default="passage") == Roles(("passage", "passage"), "passage")
    assert roles_of(default="query") == Roles(("query", "query"), "query")


def test_a_model_with_one_prompt_needs_no_role() -> None:
    assert roles_of(prompts=SYMMETRIC) == Roles(("passage", "passage"))


@pytest.mark.parametrize("value", ["document", "search_query", "x"])
def test_another_value_is_refused(value: str) -> None:
    with pytest.raises(ApiError, match="Input should be 'query' or 'passage'") as refusal:
        roles_of(input_type=value)
    assert (refusal.value.code, refusal.value.param) == ("invalid_input_type", "input_type")


def test_a_message_fixes_its_role_and_user_takes_the_stated_one() -> None:
    assert roles_of(messages=("query", "document", "passage")) == Roles(
        ("query", "passage", "passage")
    )
    assert roles_of(input_type="query", messages=("user", "passage")) == Roles(("query", "passage"))
    assert roles_of(suffix="query", messages=("user", "query")) == Roles(("query", "query"))
    assert roles_of(default="passage", messages=("query", "user")) == Roles(
        ("query", "passage"), "passage"
    )
    with pytest.raises(ApiError, match="is required for asymmetric models"):
        roles_of(messages=("query", "user"))
    with pytest.raises(ApiError, match=r"messages\[1\] is a 'passage'") as refusal:
        roles_of(suffix="query", messages=("query", "document"))
    assert refusal.value.code == "invalid_input_type"


def test_an_instruction_needs_a_model_that_takes_one() -> None:
    check_instruction(None, ASYMMETRIC)
    check_instruction("Find the law", NEMOTRON_8B.prompts)
    check_instruction("biology", REASONING_3B.prompts)
    for instruction, prompts in (("Find", ASYMMETRIC), ("my secret", REASONING_3B.prompts)):
        with pytest.raises(ApiError) as refusal:
            check_instruction(instruction, prompts)
        assert (refusal.value.code, refusal.value.param) == ("invalid_request", "instruction")
        assert instruction not in refusal.value.message
