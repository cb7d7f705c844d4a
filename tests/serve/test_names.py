"""Names of models: exact before alias before suffix, and no silent swap of weights."""

from __future__ import annotations

from typing import cast

import pytest

from biencoder.errors import InputError
from biencoder.serve.embeddings.names import RETIRED, Registry, Served
from biencoder.serve.engine.engine import Engine
from biencoder.serve.errors import ApiError

NEMOTRON = "nvidia/llama-nemotron-embed-1b-v2"
THREE_HUNDRED = "nvidia/llama-nemotron-embed-300m-v2"
NO_ENGINE = cast(Engine, None)


def served(name: str, *aliases: str) -> Served:
    return Served(name, NO_ENGINE, aliases)


def found(registry: Registry, name: str) -> tuple[str, str | None]:
    model, role = registry.resolve(name)
    return model.id, role


@pytest.mark.parametrize(
    "name",
    [
        NEMOTRON,
        "llama-nemotron-embed-1b-v2",
        "nvidia/llama-3.2-nv-embedqa-1b-v2",
        "llama-3.2-nv-embedqa-1b-v2",
        "nvidia/llama-3_2-nv-embedqa-1b-v2",
        "llama-3_2-nv-embedqa-1b-v2",
        "openai/llama-nemotron-embed-1b-v2",
        "nvidia_nim/nvidia/llama-nemotron-embed-1b-v2",
        "nvdev/nvidia/llama-3.2-nv-embedqa-1b-v2",
        "1b",
    ],
)
def test_every_name_of_the_same_weights_means_them(name: str) -> None:
    registry = Registry([served("mini"), served(NEMOTRON)])
    assert found(registry, name) == (NEMOTRON, None)
    assert found(registry, f"{name}-query") == (NEMOTRON, "query")
    assert found(registry, f"{name}-passage") == (NEMOTRON, "passage")


@pytest.mark.parametrize(
    "name",
    [THREE_HUNDRED, "nvidia/llama-3.2-nemoretriever-300m-embed-v2", "llama-nemotron-embed-300m-v2"],
)
def test_the_300m_has_two_names_whichever_it_is_served_under(name: str) -> None:
    for identity in (THREE_HUNDRED, "nvidia/llama-3.2-nemoretriever-300m-embed-v2"):
        assert found(Registry([served(identity)]), name) == (identity, None)


def test_an_exact_id_wins_over_a_suffix() -> None:
    registry = Registry([served("acme/ask"), served("acme/ask-query")])
    assert found(registry, "acme/ask-query") == ("acme/ask-query", None)
    assert found(registry, "acme/ask-query-query") == ("acme/ask-query", "query")
    assert found(registry, "acme/ask-passage") == ("acme/ask", "passage")


def test_only_one_suffix_is_taken_off() -> None:
    with pytest.raises(ApiError, match="does not exist"):
        Registry([served("mini")]).resolve("mini-query-query")


def test_an_alias_given_at_the_start_wins_over_a_renamed_model() -> None:
    old = "nvidia/llama-3.2-nv-embedqa-1b-v2"
    registry = Registry([served(NEMOTRON), served("mini", old)])
    assert found(registry, old) == ("mini", None)
    assert found(registry, "llama-3.2-nv-embedqa-1b-v2") == (NEMOTRON, None)
    assert found(registry, NEMOTRON) == (NEMOTRON, None)


def test_an_alias_brings_its_other_spellings() -> None:
    registry = Registry([served("mini", NEMOTRON)])
    assert found(registry, "nvidia/llama-3.2-nv-embedqa-1b-v2-query") == ("mini", "query")
    assert found(registry, "llama-nemotron-embed-1b-v2") == ("mini", None)


@pytest.mark.parametrize("retired", RETIRED)
@pytest.mark.parametrize("form", ["{}", "nvdev/{}", "{}-query"])
def test_a_retired_model_is_never_swapped_for_its_successor(retired: str, form: str) -> None:
    for name in (retired, retired.removeprefix("nvidia/"), retired.replace(".", "_")):
        with pytest.raises(ApiError) as refusal:
            Registry([served(NEMOTRON)]).resolve(form.format(name))
        assert refusal.value.code == "model_not_found"
        assert f"its successor is {RETIRED[retired]}" in refusal.value.message
        assert f"served: {NEMOTRON}" in refusal.value.message


def test_a_retired_name_can_be_given_on_purpose() -> None:
    registry = Registry([served(NEMOTRON, "nvidia/llama-3.2-nv-embedqa-1b-v1")])
    assert found(registry, "nvidia/llama-3.2-nv-embedqa-1b-v1") == (NEMOTRON, None)


def test_an_unknown_name_is_told_what_is_served_and_is_not_repeated() -> None:
    with pytest.raises(ApiError) as refusal:
        Registry([served("mini"), served(NEMOTRON)]).resolve("text-embedding-3-small")
    assert (refusal.value.status, refusal.value.param) == (404, "model")
    assert refusal.value.message.endswith(f"served: mini, {NEMOTRON}")
    assert "text-embedding-3-small" not in refusal.value.message


def test_any_model_means_the_first_and_keeps_the_suffix() -> None:
    registry = Registry([served("mini"), served(NEMOTRON)], any_model=True)
    assert found(registry, "text-embedding-3-small-query") == ("mini", "query")
    assert found(registry, "1b") == (NEMOTRON, None)


def test_one_name_for_two_models_is_refused_at_the_start() -> None:
    with pytest.raises(InputError, match="two served models have the name 'x'"):
        Registry([served("mini", "x"), served(NEMOTRON, "x")])
    with pytest.raises(InputError, match="'mini'"):
        Registry([served("mini"), served("mini")])


def test_all_names_of_a_model_are_told_its_given_ones_first() -> None:
    mini = served("mini", "my-model")
    names = Registry([mini]).names(mini)
    assert names[0] == "my-model"
    assert "biencoder/mini" in names
    assert "mini" not in names
    assert len(set(names)) == len(names)


def test_without_a_name_the_only_model_is_meant() -> None:
    mini = served("mini")
    assert Registry([mini]).only() is mini
    assert Registry([mini, served(NEMOTRON)]).only() is None
