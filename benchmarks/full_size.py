"""Full-size checkpoints with random weights, end to end: random, load, embed, check.

    python benchmarks/full_size.py [300m 1b 3b 8b vl]

Says what a machine like this needs for each model: seconds, memory, parity with transformers on a
short text, and for the page model on a page of two tiles. The weights are random: nothing here is about quality. Results: `results/full_size.json`,
one entry a model, kept when other models are measured later.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

from biencoder.config.family import find_member
from harness import RESULTS, machine, run_measured, write_results
from page_workloads import write_png

BINARY = str(Path(sys.executable).with_name("biencoder"))
LOAD = (
    "import sys; from biencoder import Embedder; "
    "print(Embedder.load(sys.argv[1]).placement.dtype.itemsize)"
)


def main() -> None:
    """Measure each model in turn; only one checkpoint is on disk at a time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=["300m", "1b", "3b", "8b", "vl"])
    names = parser.parse_args().models
    models = _measured_before()
    for name in names:
        with tempfile.TemporaryDirectory(dir=".") as folder:
            models[name] = measure(name, Path(folder, name))
        print(name, json.dumps(models[name], indent=1), flush=True)
        print(write_results("full_size", {"models": models}))


def _measured_before() -> dict[str, Any]:
    """What the result file has, each model with the machine that it was measured on."""
    path = RESULTS / "full_size.json"
    if not path.exists():
        return {}
    document = json.loads(path.read_text())
    return {
        name: {"machine": document["machine"], **model}
        for name, model in document["models"].items()
    }


def measure(name: str, folder: Path) -> dict[str, Any]:
    """One model: four commands, each in a process of its own."""
    busy = os.getloadavg()[0]
    embedding, *document = _document(name, folder.parent)
    made = _run([BINARY, "random", name, "--to", str(folder)])
    weights = sum(path.stat().st_size for path in folder.glob("*.safetensors")) / 1e6
    loaded = _run([sys.executable, "-c", LOAD, str(folder)])
    embedded = _run(
        [BINARY, "embed", *document, "--model", str(folder), "--output", str(folder / "v.npy")]
    )
    checked = _run([BINARY, "check", str(folder), "--json"])
    # The verb's own lines (the licence, say) come before its one JSON document.
    output = checked["output"]
    report = json.loads(output[output.index("{\n") :])
    # Stored in two bytes a number; float32, where that is what the machine computes in, takes twice.
    in_memory = weights * int(loaded["output"].split()[-1]) / 2
    return {
        "weights MB": weights,
        "random": _figures(made),
        "load": _figures(loaded)
        | {
            "bound MB (1.2 x weights in memory + 500)": 1.2 * in_memory + 500,
            "within the bound": loaded["peak anonymous MB"] <= 1.2 * in_memory + 500,
        },
        embedding: _figures(embedded),
        "check": _figures(checked) | {"report": report},
        # Models are measured on different days and machines; the file's own is that of the last.
        "machine": machine() | {"load before": busy},
    }


def _document(name: str, folder: Path) -> list[str]:
    """What the embedding is called in the result, and the command's arguments for it."""
    member = find_member(name)
    if member is not None and member.pages is not None:
        return ["embed a page of 7 tiles", str(write_png(folder)), "--modality", "image"]
    text = folder / "text.txt"
    text.write_text("When a river cuts off a bend, the bend becomes an oxbow lake.\n" * 8)
    return ["embed 8 texts", str(text)]


def _run(command: list[str]) -> dict[str, Any]:
    result = run_measured(command)
    if result["exit code"] != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{result['output']}")
    return result


def _figures(result: dict[str, Any]) -> dict[str, float]:
    names = ("seconds", "peak anonymous MB", "peak resident MB")
    return {name: round(result[name], 1) for name in names}


if __name__ == "__main__":
    main()
