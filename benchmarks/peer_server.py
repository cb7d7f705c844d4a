"""The server that most people write first: sentence-transformers behind FastAPI, in the usual lines.

    python peer_server.py FOLDER PORT DTYPE

One endpoint, not `async`, so that FastAPI runs it in its pool of threads; one `encode` a request.
It answers in base64, so that no difference comes from how numbers are written. It runs in an
environment of its own that has FastAPI; see `servers.py`.
"""

from __future__ import annotations

import base64
import sys
from typing import Any

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from sentence_transformers import SentenceTransformer


class Request(BaseModel):
    """What is asked for; other fields are ignored."""

    model: str
    input: str | list[str]


def build(folder: str, dtype: str) -> FastAPI:
    """The application around a loaded model."""
    app = FastAPI()
    model = SentenceTransformer(folder, device="cpu", model_kwargs={"dtype": dtype})

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.post("/v1/embeddings")
    def embeddings(request: Request) -> dict[str, Any]:
        texts = [request.input] if isinstance(request.input, str) else request.input
        vectors = model.encode_document(texts, show_progress_bar=False)
        data = [
            {"index": row, "embedding": base64.b64encode(vector.tobytes()).decode()}
            for row, vector in enumerate(vectors)
        ]
        return {"object": "list", "model": request.model, "data": data}

    return app


if __name__ == "__main__":
    uvicorn.run(build(sys.argv[1], sys.argv[3]), port=int(sys.argv[2]), log_level="warning")
