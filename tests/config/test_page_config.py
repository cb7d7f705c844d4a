"""A page model's two config files: read, written back, and refused where they would mislead."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests import tiny_pages

from biencoder.config.dialects import parse_config, write_d4
from biencoder.config.family import FAMILY, PAGES_1B, member_named
from biencoder.config.page_dialect import (
    is_page_model,
    parse_page_config,
    write_page_config,
    write_processor_config,
)
from biencoder.config.page_model import PageConfig, PageLimits, VisionConfig
from biencoder.errors import ConfigError

# The shape of the published files, as the project's notes give it.
PUBLISHED: dict[str, Any] = {
    "model_type": "llama_nemotron_vl",
    "architectures": ["LlamaNemotronVLModel"],
    "llm_config": {
        "model_type": "llama_bidirec",
        "architectures": ["LlamaBidirectionalModel"],
        "hidden_size": 2048,
        "num_hidden_layers": 16,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 64,
        "intermediate_size": 8192,
        "vocab_size": 128266,
        "rms_norm_eps": 1e-05,
        "rope_theta": 500000.0,
        "rope_scaling": {
            "rope_type": "llama3",
            "factor": 32.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192,
        },
        "bos_token_id": 128000,
        "eos_token_id": 128001,
        "pooling": "avg",
    },
    "vision_config": {
        "model_type": "siglip_vision_model",
        "hidden_size": 1152,
        "intermediate_size": 4304,
        "num_hidden_layers": 27,
        "num_attention_heads": 16,
        "image_size": 512,
        "patch_size": 16,
        "hidden_act": "gelu_pytorch_tanh",
        "layer_norm_eps": 1e-06,
    },
    "force_image_size": 512,
    "downsample_ratio": 0.5,
    "select_layer": -1,
    "ps_version": "v2",
    "img_context_token_id": 128258,
    "pooling": "avg",
    "bidirectional_attention": True,
    "dynamic_image_size": True,
    "use_thumbnail": True,
    "max_input_tiles": 2,
    "q_max_length": 512,
    "p_max_length": 4096,
    "query_prefix": "query:",
    "passage_prefix": "passage:",
}
PROCESSOR: dict[str, Any] = {
    "image_size": 512,
    "max_input_tiles": 6,
    "num_image_token": 256,
    "use_thumbnail": True,
    "norm_type": "siglip",
    "q_max_length": 512,
    "p_max_length": 4096,
    "query_prefix": "query:",
    "passage_prefix": "passage:",
}


def without(raw: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in raw.items() if name not in names}


def inside(part: str, **changes: Any) -> dict[str, Any]:
    """The published config with keys of one of its objects changed; None removes a key."""
    merged = PUBLISHED[part] | changes
    return PUBLISHED | {part: {key: value for key, value in merged.items() if value is not None}}


def test_the_published_files_are_the_member_of_the_family() -> None:
    assert parse_page_config(PUBLISHED, PROCESSOR) == PAGES_1B.pages
    assert member_named("vl").config == parse_page_config(PUBLISHED, PROCESSOR).text
    assert [member.name for member in FAMILY if member.pages] == ["llama-nemotron-embed-vl-1b-v2"]


def test_the_processor_wins_where_the_two_files_disagree() -> None:
    assert parse_page_config(PUBLISHED).max_tiles == 2
    assert parse_page_config(PUBLISHED, PROCESSOR).max_tiles == 6
    other = {"use_thumbnail": False, "q_max_length": 10240, "passage_prefix": "page: "}
    config = parse_page_config(PUBLISHED, PROCESSOR | other)
    assert (config.thumbnail, config.query_tokens) == (False, 10240)
    assert (config.query_prefix, config.passage_prefix) == ("query:", "page:")


def test_missing_keys_get_the_published_models_values_not_its_classs() -> None:
    names = ("max_input_tiles", "use_thumbnail", "q_max_length", "query_prefix", "passage_prefix")
    more = ("select_layer", "ps_version", "bidirectional_attention", "dynamic_image_size")
    bare = without(PUBLISHED, *names, *more, "img_context_token_id", "downsample_ratio")
    bare |= {"vision_config": without(PUBLISHED["vision_config"], "patch_size", "layer_norm_eps")}
    assert parse_page_config(bare) == PAGES_1B.pages


@pytest.mark.parametrize("config", [tiny_pages.CONFIG, PAGES_1B.pages])
def test_written_files_are_read_back_as_they_were(config: PageConfig) -> None:
    config = replace(config, max_tiles=4, thumbnail=False, query_tokens=99)
    raw, processor = write_page_config(config), write_processor_config(config)
    assert parse_page_config(raw, processor) == parse_page_config(raw) == config
    assert raw["vision_config"]["vision_use_head"] is False
    assert "vision_use_head" not in write_page_config(config, head=True)["vision_config"]


@pytest.mark.parametrize("where", ["both", "top", "llm_config"])
def test_the_pooling_may_stand_in_either_place(where: str) -> None:
    raw = PUBLISHED if where != "llm_config" else without(PUBLISHED, "pooling")
    if where == "top":
        raw = raw | {"llm_config": without(raw["llm_config"], "pooling")}
    assert parse_page_config(raw).text.pooling == "avg"


@pytest.mark.parametrize(
    "raw",
    [
        PUBLISHED | {"pooling": "last"},
        inside("llm_config", pooling="last"),
        without(inside("llm_config", pooling=None), "pooling"),
    ],
)
def test_a_pooling_that_is_not_the_mean_or_not_stated_is_refused(raw: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"pooling is .*'avg'"):
        parse_page_config(raw)


def test_the_language_model_is_read_in_the_dialects_of_the_text_models() -> None:
    assert PAGES_1B.config is not None
    later = write_d4(PAGES_1B.config)
    raw = PUBLISHED | {"llm_config": later}
    assert parse_page_config(raw, PROCESSOR) == PAGES_1B.pages
    causal = without(later, "is_causal")
    assert parse_page_config(raw | {"llm_config": causal}, PROCESSOR) == PAGES_1B.pages
    with pytest.raises(ConfigError, match="causal"):
        parse_page_config(without(raw, "bidirectional_attention") | {"llm_config": causal})


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (PUBLISHED | {"quantization_config": {"quant_algo": "FP8"}}, r"quantised \(FP8\)"),
        (PUBLISHED | {"model_type": "llama_nemotron_vl_rerank"}, "reranker"),
        (
            PUBLISHED | {"architectures": ["LlamaNemotronVLForSequenceClassification"]},
            "reranker",
        ),
        (PUBLISHED | {"model_type": "llama"}, "no page model"),
        (PUBLISHED | {"select_layer": -2}, "select_layer=-2"),
        (PUBLISHED | {"ps_version": "v1"}, "ps_version='v1'"),
        (PUBLISHED | {"bidirectional_attention": False}, "bidirectional_attention=False"),
        (PUBLISHED | {"dynamic_image_size": False}, "dynamic_image_size=False"),
        (PUBLISHED | {"norm_type": "imagenet"}, "norm_type 'imagenet'"),
        (PUBLISHED | {"force_image_size": 448}, "force_image_size is 448.*give 512"),
        (PUBLISHED | {"num_image_token": 1024}, "num_image_token is 1024.*give 256"),
        (PUBLISHED | {"downsample_ratio": 0.4}, "downsample_ratio=0.4"),
        (PUBLISHED | {"downsample_ratio": "half"}, "needs a number downsample_ratio"),
        (PUBLISHED | {"downsample_ratio": 1 / 5}, "no multiple of 5"),
        (PUBLISHED | {"img_context_token_id": 128266}, "no row"),
        (PUBLISHED | {"max_input_tiles": 0}, "between 1 and 64"),
        (PUBLISHED | {"max_input_tiles": 10**9}, "between 1 and 64"),
        (PUBLISHED | {"max_input_tiles": True}, "whole number max_input_tiles"),
        (PUBLISHED | {"use_thumbnail": "yes"}, "true or false"),
        (PUBLISHED | {"query_prefix": 3}, "not a text"),
        (PUBLISHED | {"q_max_length": 0}, "q_max_length=0"),
        (without(PUBLISHED, "llm_config"), "object llm_config"),
        (PUBLISHED | {"vision_config": []}, "object vision_config"),
        (inside("vision_config", model_type="siglip2_vision_model"), "siglip2_vision_model"),
        (inside("vision_config", hidden_act="gelu"), "hidden_act='gelu'"),
        (inside("vision_config", num_channels=1), "num_channels=1"),
        (inside("vision_config", num_attention_heads=None), "number num_attention_heads"),
        (inside("vision_config", num_attention_heads=15), "no multiple of"),
        (inside("vision_config", hidden_size=0), "hidden_size=0"),
        (inside("vision_config", patch_size=24), "no multiple of patch_size=24"),
        (inside("llm_config", rope_theta=None), "rope_theta"),
        (inside("llm_config", hidden_act="gelu"), "hidden_act"),
    ],
)
def test_what_would_give_other_vectors_is_refused(raw: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_page_config(raw)


@pytest.mark.parametrize("change", [{"image_size": 448}, {"num_image_token": 64}])
def test_a_processor_of_another_model_is_refused(change: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="do not belong together"):
        parse_page_config(PUBLISHED, PROCESSOR | change)


def test_a_page_model_is_told_from_a_text_model() -> None:
    assert is_page_model(PUBLISHED)
    assert is_page_model({"model_type": "llama_nemotron_vl_rerank"})
    assert not is_page_model(PUBLISHED["llm_config"])
    assert not is_page_model({})
    with pytest.raises(ConfigError, match="llama_nemotron_vl"):
        parse_config(PUBLISHED)


def test_tensors_of_the_published_sizes_are_those_that_were_counted() -> None:
    config = PAGES_1B.pages
    assert config is not None
    shapes, head = config.tensor_shapes(), config.head_shapes()
    parts = [name.split(".")[0] for name in shapes]
    assert len(head) == 11
    assert parts.count("language_model") == 146
    assert parts.count("vision_model") + len(head) == 448
    assert parts.count("mlp1") == 6
    assert shapes["vision_model.embeddings.patch_embedding.weight"] == (1152, 3, 16, 16)
    assert shapes["vision_model.embeddings.position_embedding.weight"] == (1024, 1152)
    assert shapes["mlp1.1.weight"] == (2048, 4608)
    assert (config.tokens_per_tile, config.tile_size, config.shuffle) == (256, 512, 2)


def test_operations_of_a_tile_follow_the_sizes() -> None:
    vision = PAGES_1B.pages.vision if PAGES_1B.pages else None
    assert vision is not None
    # patches · 2 · (27 layers of weights without norms and biases, and the patch product) …
    weights = 27 * (4 * 1152**2 + 2 * 1152 * 4304) + 3 * 16 * 16 * 1152
    # … and in each layer every patch against every other, twice, over the whole width.
    scores = 27 * 2 * 2 * 1024 * 1024 * 1152
    assert vision.flops_per_tile() == 2 * 1024 * weights + scores
    assert PAGES_1B.pages is not None
    projector = 2 * 256 * (4608 * 2048 + 2048 * 2048)
    assert PAGES_1B.pages.flops_per_tile() == vision.flops_per_tile() + projector


def test_the_cards_limits_are_the_defaults_and_none_is_empty() -> None:
    assert PageLimits() == PageLimits(image=2048, image_text=10240, text=8192)
    assert PAGES_1B.max_tokens == PageLimits().text
    with pytest.raises(ConfigError, match="image=0"):
        PageLimits(image=0)


def test_sizes_of_a_tower_are_positive() -> None:
    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1}
    with pytest.raises(ConfigError, match=r"layer_norm_eps=0\.0"):
        VisionConfig(**sizes, num_attention_heads=1, image_size=8, patch_size=4, layer_norm_eps=0.0)
