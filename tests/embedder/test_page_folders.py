"""A page model's folder: what it is taken for, the settings in force, its fingerprint, saved and loaded."""

from __future__ import annotations

import json
import shutil
from math import prod
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from tests import tiny, tiny_pages

from biencoder import Embedder
from biencoder.config.family import PAGES_1B
from biencoder.config.page_model import PageLimits
from biencoder.embedder.fingerprint import fingerprint, identity
from biencoder.embedder.pages.page import Page
from biencoder.embedder.pages.settings import PageSettings
from biencoder.embedder.profile import read_page_profile, read_profile
from biencoder.embedder.reach import Reach, open_encoder
from biencoder.errors import CheckpointError, ConfigError, InputError, TooLongError

PICTURE = tiny_pages.picture(160, 200)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Read, never write."""
    return tiny_pages.write_checkpoint(tmp_path_factory.mktemp("pages") / "model")


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "model"))


def load(folder: Path, **settings: object) -> Embedder:
    return Embedder.load(folder, dtype="float32", device="cpu", **settings)  # type: ignore[arg-type]


def tiles_seen(model: Embedder) -> tuple[int, bool]:
    (window,) = model.encode_pages([Page(PICTURE)])
    grid = window.details[0].grid
    assert grid is not None
    return grid.tiles, window.details[0].thumbnail


def test_a_page_model_says_what_it_reads_and_how(original: Path) -> None:
    model = load(original)
    assert model.modalities == ("text", "image", "image_text")
    assert model.dimensions == (64,)
    assert model.profile.prompts.prefix("query") == "query: "
    assert model.profile.prompts.prefix("document") == "passage: "
    assert model.pages is not None
    # The language model was made for 4,096 positions.
    assert model.pages.limits == PageLimits(image=2048, image_text=4096, text=4096)
    assert (model.limit("query"), model.limit("document"), model.max_tokens) == (512, 4096, 4096)
    assert model.origin.parameters == sum(map(prod, tiny_pages.CONFIG.tensor_shapes().values()))


def test_queries_are_shorter_than_documents(original: Path) -> None:
    model = load(original)
    text = "river " * 1000
    with pytest.raises(TooLongError, match="at most 512"):
        model.encode_queries([text])
    model.encode_documents([text])


def test_the_processors_tiles_win_and_the_callers_win_over_them(folder: Path) -> None:
    assert json.loads((folder / "config.json").read_text())["max_input_tiles"] == 2
    assert tiles_seen(load(folder)) == (6, True)
    assert tiles_seen(load(folder, max_tiles=4)) == (4, True)
    assert tiles_seen(load(folder, max_tiles=4, thumbnail=False)) == (4, False)
    (folder / "processor_config.json").unlink()
    assert tiles_seen(load(folder)) == (2, True)


@pytest.mark.parametrize("tiles", [0, 65])
def test_a_number_of_tiles_that_is_none_is_refused(tiles: int, original: Path) -> None:
    with pytest.raises(InputError, match=f"max_tiles={tiles} is not between 1 and 64"):
        load(original, max_tiles=tiles)


@pytest.mark.parametrize(
    "settings", [{"max_tiles": 6}, {"thumbnail": False}, {"page_limits": PageLimits()}]
)
def test_page_settings_are_refused_for_a_text_model(
    settings: dict[str, object], checkpoints: dict[str, Path]
) -> None:
    with pytest.raises(InputError, match=f"reads text only: {next(iter(settings))} belong"):
        load(checkpoints["1b"], **settings)


def test_settings_are_for_a_model_here_not_for_a_server(original: Path) -> None:
    settings = PageSettings(max_tiles=2)
    with pytest.raises(InputError, match="max_tiles are settings of a page model on this machine"):
        open_encoder(Reach(model="x", server="http://127.0.0.1:9"), settings=settings)
    found = open_encoder(Reach(model=str(original)), dtype="float32", settings=settings)
    assert found.pages is not None
    assert found.pages.max_tiles == 2


def test_tiles_thumbnail_and_limits_are_part_of_the_fingerprint(original: Path) -> None:
    plain = fingerprint(load(original))
    same = load(original, max_tiles=6, thumbnail=True, page_limits=PageLimits())
    assert fingerprint(same) == plain
    others = [
        load(original, max_tiles=4),
        load(original, thumbnail=False),
        load(original, page_limits=PageLimits(image=1000)),
        load(original, page_limits=PageLimits(image_text=1000)),
        load(original, page_limits=PageLimits(text=1000)),
        load(original).limited(1000),
    ]
    prints = [fingerprint(model) for model in others]
    assert plain not in prints
    assert len({*prints}) == 5, "limited(1000) is page_limits with text=1000, the others differ"
    assert prints[-1] == prints[-2]


def test_a_text_models_identity_knows_nothing_of_pages(checkpoints: dict[str, Path]) -> None:
    assert "pages" not in identity(load(checkpoints["1b"]))


def test_the_bundled_model_keeps_its_fingerprint() -> None:
    assert Embedder.load("mini").fingerprint().startswith("5e3ea615f980")


def test_a_saved_page_model_gives_the_same_vectors_and_settings(
    original: Path, tmp_path: Path
) -> None:
    limits = PageLimits(image=300, image_text=200, text=100)
    model = load(original, max_tiles=4, thumbnail=False, page_limits=limits)
    model.save(tmp_path / "saved")
    again = load(tmp_path / "saved")
    np.testing.assert_array_equal(
        again.encode_documents(["tea", None], images=[PICTURE, PICTURE]),
        model.encode_documents(["tea", None], images=[PICTURE, PICTURE]),
    )
    np.testing.assert_array_equal(again.encode_queries(["tea"]), model.encode_queries(["tea"]))
    assert again.pages is not None
    assert again.pages.limits == limits
    assert (again.pages.config.max_tiles, again.pages.config.thumbnail) == (4, False)
    assert again.profile.license == model.profile.license
    assert (tmp_path / "saved" / "LICENSE").exists()
    # Only the weights lie in another layout.
    facts, before = identity(again), identity(model)
    assert {key for key in facts if facts[key] != before[key]} == {"weights"}


def test_a_saved_page_model_has_flat_names_its_own_tokenizer_and_no_head(
    original: Path, tmp_path: Path
) -> None:
    load(original).save(tmp_path / "saved")
    with safe_open(tmp_path / "saved" / "model.safetensors", "pt") as file:
        assert set(file.keys()) == set(tiny_pages.CONFIG.tensor_shapes())
    saved = tmp_path / "saved" / "tokenizer.json"
    assert saved.read_bytes() == (original / "tokenizer.json").read_bytes()
    raw = json.loads((tmp_path / "saved" / "config.json").read_text())
    assert raw["vision_config"]["vision_use_head"] is False


def test_limits_that_nobody_knows_are_refused(folder: Path) -> None:
    tiny.edit_json(folder / "biencoder.json", page_limits={"video": 3})
    with pytest.raises(ConfigError, match=r"page_limits in biencoder\.json"):
        load(folder)


def test_a_damaged_page_model_is_one_sentence(folder: Path) -> None:
    (folder / "tokenizer.json").write_text(tiny.tokenizer_json())
    with pytest.raises(CheckpointError, match="'<img>' is missing"):
        load(folder)
    (folder / "tokenizer.json").unlink()
    with pytest.raises(CheckpointError, match=r"holds no tokenizer\.json"):
        load(folder)


def test_an_adapter_over_a_page_model_is_refused(original: Path, tmp_path: Path) -> None:
    facts = {"base_model_name_or_path": str(original), "r": 2, "lora_alpha": 4}
    tiny.write_json(tmp_path / "adapter" / "adapter_config.json", facts)
    with pytest.raises(ConfigError, match="adapter over a page model"):
        load(tmp_path / "adapter")


def test_a_page_models_trunk_in_a_folder_of_its_own_is_no_page_model(tmp_path: Path) -> None:
    assert PAGES_1B.config is not None
    profile = read_profile(tmp_path, PAGES_1B.config, name="trunk", member=None)
    assert profile.member is None


def test_a_page_model_of_the_published_sizes_is_recognised_by_them(tmp_path: Path) -> None:
    assert PAGES_1B.pages is not None
    profile = read_page_profile(
        tmp_path, PAGES_1B.pages, name="folder", member=None, max_tokens=8192
    )
    assert (profile.member, profile.recognised_by) == (PAGES_1B, "its sizes")
    assert profile.prompts.prefix("document") == "passage: "
