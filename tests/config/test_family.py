"""The family's table agrees with what its makers published."""

from __future__ import annotations

import pytest

from biencoder.config.family import FAMILY, find_member, member_named
from biencoder.errors import UnknownModelError
from biencoder.models.checkpoint import count_parameters
from biencoder.models.page_checkpoint import count_page_parameters

# (parameters, tensors) from the models' cards and exact counting, see the notes on the text models.
COUNTS = {
    "nvidia/llama-nv-embed-reasoning-3b": (3_212_749_824, 254),
    "nvidia/llama-embed-nemotron-8b": (7_504_924_672, 290),
    "nvidia/llama-3.2-nemoretriever-300m-embed-v2": (569_415_680, 83),
    "nvidia/llama-nemotron-embed-1b-v2": (1_235_814_400, 146),
}


@pytest.mark.parametrize("id_", COUNTS)
def test_sizes_give_the_published_number_of_parameters(id_: str) -> None:
    config = member_named(id_).config
    assert config is not None
    assert (count_parameters(config), len(config.tensor_shapes())) == COUNTS[id_]


def test_sizes_of_the_page_model_give_the_published_number_of_parameters() -> None:
    pages = member_named("vl").pages
    assert pages is not None
    counted = count_page_parameters(pages)
    assert (counted.stored, counted.run) == (1_678_252_480, 1_663_014_128)
    assert len(pages.tensor_shapes()) + len(pages.head_shapes()) == 600


def test_each_models_commercial_use_is_what_its_licence_says() -> None:
    free = {member.id for member in FAMILY if member.commercial_use}
    assert {id_ for id_ in COUNTS if id_ not in free} == {
        "nvidia/llama-nv-embed-reasoning-3b",
        "nvidia/llama-embed-nemotron-8b",
    }


def test_full_sizes_stand_last_and_equal_the_hidden_size() -> None:
    for member in FAMILY:
        assert member.dimensions == tuple(sorted(set(member.dimensions)))
        assert member.dimensions[-1] == member.hidden_size
        if member.config is not None:
            assert member.config.hidden_size == member.hidden_size


def test_no_two_members_share_a_name_or_their_sizes() -> None:
    names = [name.lower() for m in FAMILY for name in {m.id, m.name, *m.aliases}]
    assert len(names) == len(set(names))
    configs = [member.config for member in FAMILY if member.config]
    assert len(set(configs)) == len(configs)


def test_the_old_names_of_the_1b_and_300m_are_known() -> None:
    for old in ("nvidia/llama-3.2-nv-embedqa-1b-v2", "llama-3_2-nv-embedqa-1b-v2", "1b"):
        assert member_named(old).id == "nvidia/llama-nemotron-embed-1b-v2"
    assert member_named("nvidia/llama-nemotron-embed-300m-v2").name.endswith("300m-embed-v2")


def test_an_unknown_name_gets_the_nearest_and_the_list() -> None:
    assert find_member("bert") is None
    with pytest.raises(
        UnknownModelError, match=r"did you mean 'llama-embed-nemotron-8b'(.|\n)*mini"
    ):
        member_named("llama-embed-nemotron-8")
