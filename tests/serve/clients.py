"""What the tests of real clients share: a real process, and what the library gives for the same texts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from tests.serve.running import process
from tests.serve.wire_client import mini

from biencoder.embedder.notices import TruncationWarning
from biencoder.types import Role

NAME = "nvidia/llama-nemotron-embed-1b-v2"
QUESTION = "where do oxbow lakes come from?"
TEXTS = [
    "When a river cuts off one of its bends, the old bend becomes an oxbow lake.",
    "Pine trees keep their needles for several years.",
    "A lake.",
]
TOO_LONG = "river " * 600
REFUSAL = r"Input length 60\d exceeds maximum allowed token size 512"
ALIASED = ("--model", "mini", "--alias", f"{NAME}=mini")
_KEYS = ("NVIDIA_API_KEY", "NVIDIA_BASE_URL", "OPENAI_API_KEY", "OPENAI_BASE_URL")


@contextmanager
def served(*arguments: str) -> Iterator[str]:
    """The address of ``biencoder serve ARGUMENTS``.

    float32, on the CPU: what is compared with the library here is not the processor's arithmetic.
    The clients find no key of the person who runs this, and no proxy.
    """
    plain = ("--dtype", "float32", "--device", "cpu", "--warmup", "short")
    with pytest.MonkeyPatch.context() as environ, process(*arguments, *plain) as running:
        for name in _KEYS:
            environ.delenv(name, raising=False)
        environ.setenv("NO_PROXY", "127.0.0.1")
        running.wait_for("Ready: mini")
        yield running.base


def same(given: Any, wanted: Any) -> None:
    """Equal but for the last bits of float32."""
    np.testing.assert_allclose(np.asarray(given, dtype=np.float32), wanted, rtol=0, atol=2e-6)


def as_query(**options: Any) -> Any:
    """The library's vector of the question."""
    return mini().encode_queries([QUESTION], **options)[0]


def as_passages(**options: Any) -> Any:
    """The library's vectors of the texts."""
    return mini().encode_documents(TEXTS, **options)


def cut(text: str, role: Role, **options: Any) -> Any:
    """The library's vector of a text that is too long; it warns of what it cuts."""
    model = mini()
    encode = model.encode_queries if role == "query" else model.encode_documents
    with pytest.warns(TruncationWarning):
        return encode([text], **options)[0]
