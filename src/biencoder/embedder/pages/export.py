"""Save a page model: both configurations, weights in the flat layout, the tokenizer as it came."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from biencoder.config.page_dialect import write_page_config, write_processor_config
from biencoder.drafts import new_folder, write_json
from biencoder.embedder.export import copy_licence, own_facts, tokenizer_config
from biencoder.embedder.pages.loading import PROCESSOR_FILE, own_page_facts
from biencoder.embedder.pages.side import PageSide
from biencoder.embedder.profile import OWN_FILE
from biencoder.models.page_checkpoint import save_page_model

if TYPE_CHECKING:
    from biencoder.embedder.embedder import Embedder


def export_pages(embedder: Embedder, side: PageSide, folder: Path) -> None:
    """Write a folder that loads again to the same vectors; the unused pooling head is declared dropped.

    The tiles in force go into both configurations, the limits in force into ``biencoder.json``.
    """
    dtype = embedder.placement.dtype
    name = str(dtype).removeprefix("torch.")
    with new_folder(folder) as draft:
        metadata = {"license": embedder.profile.license}
        save_page_model(side.model, draft, dtype=dtype, metadata=metadata)
        write_json(draft / "config.json", write_page_config(side.config) | {"torch_dtype": name})
        write_json(draft / PROCESSOR_FILE, write_processor_config(side.config))
        # Not from memory, where the image tokens have names that nobody knows.
        shutil.copyfile(embedder.source.folder / "tokenizer.json", draft / "tokenizer.json")
        write_json(draft / "tokenizer_config.json", tokenizer_config(embedder))
        write_json(draft / OWN_FILE, own_facts(embedder.profile) | own_page_facts(side.limits))
        copy_licence(embedder.source.folder, draft, embedder.profile)
