"""Who is measured by `serve.py`: our server and its peers, with the same weights in a folder.

A peer is installed in an environment of its own, by pip; where that cannot be had, or cannot read
the model, a RuntimeError says why.

infinity-emb 0.0.78 requires transformers below 5, which knows only causal attention for this
architecture, whatever the folder says (seen: a token's state does not change with those after it).
Its vectors are therefore others, as the result shows, and its attention has half the work.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from servers import HERE, Server, last_words, running

INFINITY = "infinity-emb[all]"
# All of 64 requests with 32 texts may wait.
QUEUE = 1_000_000


def biencoder_server(folder: Path, dtype: str) -> contextlib.AbstractContextManager[Server]:
    """Ours, as it comes, but for the queue."""
    binary = str(Path(sys.executable).with_name("biencoder"))
    flags = ["--model", "mini", "--dtype", dtype, "--max-queued-tokens", str(QUEUE)]
    return running(
        "biencoder",
        lambda port: [binary, "serve", "--port", str(port), *flags],
        folder,
        path="/v1/embeddings",
        health="/v1/health/ready",
        fields={"model": "mini", "input_type": "passage"},
    )


def fastapi_server(
    stack: contextlib.ExitStack, folder: Path, environments: Path, dtype: str
) -> tuple[Server, str]:
    """The plain one; sentence-transformers and PyTorch are those of this environment."""
    python = environment(environments / "fastapi", "fastapi", shared=True)
    script = str(HERE / "peer_server.py")
    server = running(
        "FastAPI",
        lambda port: [str(python), script, str(folder / "mini"), str(port), dtype],
        folder,
        path="/v1/embeddings",
        health="/health",
        fields={"model": "mini"},
    )
    versions = [f"{name} {version(python, name)}" for name in ("fastapi", "sentence-transformers")]
    return stack.enter_context(server), ", ".join(versions)


def infinity_server(
    stack: contextlib.ExitStack, folder: Path, environments: Path, dtype: str
) -> tuple[Server, str]:
    """The newest infinity-emb with the libraries that it asks for."""
    python = environment(environments / "infinity", INFINITY, shared=False)
    binary = str(python.with_name("infinity_emb"))
    model = in_older_spelling(folder / "mini", folder / "mini-older")
    flags = ["--model-id", str(model), "--served-model-name", "mini", "--dtype", dtype]
    server = running(
        "infinity",
        lambda port: [
            *(binary, "v2", "--engine", "torch", "--device", "cpu", *flags),
            *("--host", "127.0.0.1", "--port", str(port)),
        ],
        folder,
        path="/embeddings",
        health="/health",
        fields={"model": "mini"},
        # It knows no roles.
        prefix="passage: ",
    )
    versions = [
        f"{name} {version(python, name)}"
        for name in ("infinity-emb", "sentence-transformers", "transformers", "torch")
    ]
    return stack.enter_context(server), ", ".join(versions)


def in_older_spelling(folder: Path, to: Path) -> Path:
    """A copy whose settings are spelt as the sentence-transformers that infinity requires reads them."""
    shutil.copytree(folder, to)
    pooling = to / "1_Pooling" / "config.json"
    size = json.loads(pooling.read_text(encoding="utf-8"))["embedding_dimension"]
    older = {"word_embedding_dimension": size, "pooling_mode_mean_tokens": True}
    pooling.write_text(json.dumps(older), encoding="utf-8")
    config = json.loads((to / "config.json").read_text(encoding="utf-8"))
    rope = config["rope_parameters"]
    config |= {"rope_theta": rope["rope_theta"], "rope_scaling": rope, "torch_dtype": "float32"}
    (to / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return to


def environment(folder: Path, requirement: str, *, shared: bool) -> Path:
    """The Python of an environment that holds a requirement; made if it is not there.

    shared: beside it, what this Python has is seen too, PyTorch above all. Raises RuntimeError with
    pip's last words where it cannot be installed.
    """
    python = folder / "bin" / "python"
    if (folder / "complete").exists():
        return python
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
    if shared:
        paths = {"base": str(folder), "platbase": str(folder)}
        packages = Path(sysconfig.get_path("purelib", vars=paths))
        (packages / "shared.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    pip = [str(python), "-m", "pip", "install", "--quiet", requirement]
    done = subprocess.run(pip, capture_output=True, text=True)
    if done.returncode != 0:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR:")]
        raise RuntimeError(f"{requirement} cannot be installed: {last_words(''.join(errors[-1:]))}")
    (folder / "complete").touch()
    return python


def version(python: Path, package: str) -> str:
    """Of a package in an environment."""
    code = f"from importlib.metadata import version; print(version({package!r}))"
    done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()
