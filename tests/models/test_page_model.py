"""The page model's seams: tiles some at a time, rows at their places and nowhere else."""

from __future__ import annotations

import pytest
import torch
from tests import tiny, tiny_pages
from torch import Tensor

from biencoder.models import page_model
from biencoder.models.packed import Packed
from biencoder.models.page_model import PageModel


@pytest.fixture(scope="module")
def model() -> PageModel:
    return tiny_pages.model()


def run(tiles: int = 1) -> tuple[Packed, Tensor]:
    packed = tiny.packed([tiny_pages.image_ids(tiles, [7, 8]), *tiny.random_ids([6])])
    return packed, (packed.tokens_T == tiny_pages.CONTEXT).nonzero().squeeze(1)


@pytest.mark.parametrize(("at_once", "batches"), [(1, [1] * 7), (3, [3, 3, 1]), (32, [7])])
def test_tiles_pass_the_tower_some_at_a_time_and_come_out_in_order(
    model: PageModel, monkeypatch: pytest.MonkeyPatch, at_once: int, batches: list[int]
) -> None:
    tiles = tiny_pages.tiles(7)
    expected = torch.cat([model.see(tile[None]) for tile in tiles])
    monkeypatch.setattr(page_model, "CPU_TILES", at_once)
    seen: list[int] = []
    hook = model.vision_model.register_forward_pre_hook(lambda _, x: seen.append(len(x[0])))
    rows = model.see(tiles)
    hook.remove()
    assert seen == batches
    assert rows.shape == (7, 4, 64)
    torch.testing.assert_close(rows, expected, rtol=0, atol=2e-6)


def test_rows_replace_the_embeddings_at_their_places_and_no_others(model: PageModel) -> None:
    packed, places_V = run()
    table = model.language_model.embed_tokens.weight
    # The rows of other tokens: the same states as if those tokens had been written there.
    others = torch.tensor([31, 32, 33, 34])
    written = packed.tokens_T.clone()
    written[places_V] = others
    expected = model.language_model(
        Packed(written, packed.positions_T, packed.groups, packed.longest, None)
    )
    assert torch.equal(model.hidden(packed, table[others], places_V), expected)
    assert not torch.equal(model.hidden(packed), expected)


def test_the_table_and_the_rows_stay_as_they_were(model: PageModel) -> None:
    packed, places_V = run()
    table = model.language_model.embed_tokens.weight.clone()
    rows_VD = model.see(tiny_pages.tiles(1)).flatten(0, 1)
    kept = rows_VD.clone()
    with torch.inference_mode():
        first = model.embed(packed, rows_VD, places_V)
        assert torch.equal(model.embed(packed, rows_VD, places_V), first)
    assert torch.equal(rows_VD, kept)
    assert torch.equal(model.language_model.embed_tokens.weight, table)


def test_rows_of_another_format_are_cast_to_that_of_the_layers() -> None:
    half = tiny_pages.model(dtype=torch.bfloat16)
    packed, places_V = run()
    rows_VD = torch.randn(4, 64, generator=torch.Generator().manual_seed(0))
    wide = half.embed(packed, rows_VD, places_V)
    assert torch.equal(wide, half.embed(packed, rows_VD.to(torch.bfloat16), places_V))
    assert wide.dtype == torch.float32


def test_a_vector_is_the_mean_over_image_text_and_prompt(model: PageModel) -> None:
    packed, places_V = run()
    rows_VD = model.see(tiny_pages.tiles(1)).flatten(0, 1)
    states = model.hidden(packed, rows_VD, places_V)
    page, text = model.embed(packed, rows_VD, places_V)
    torch.testing.assert_close(page, states[:12].mean(dim=0))
    torch.testing.assert_close(text, states[12:].mean(dim=0))


@pytest.mark.parametrize("rows", [3, 5])
def test_more_or_fewer_rows_than_places_are_never_taken(model: PageModel, rows: int) -> None:
    packed, places_V = run()
    with pytest.raises(AssertionError, match=f"{rows} rows, 4 places"):
        model.hidden(packed, torch.zeros(rows, 64), places_V)
    with pytest.raises(AssertionError, match="rows without places"):
        model.hidden(packed, torch.zeros(rows, 64))
    with pytest.raises(AssertionError, match="places without rows"):
        model.hidden(packed, None, places_V)


def test_an_order_of_tiles_is_an_order_of_rows(model: PageModel) -> None:
    packed, places_V = run(2)
    tiles = tiny_pages.tiles(2)
    one, two = (
        model.embed(packed, model.see(order).flatten(0, 1), places_V)
        for order in (tiles, tiles.flip(0))
    )
    assert not torch.allclose(one[0], two[0], atol=1e-4)
    torch.testing.assert_close(one[1], two[1])
