"""Full-size checkpoints with random weights, end to end: random, load, embed, check.

    python benchmarks/full_size.py [300m 1b 3b 8b]

Says what a machine like this needs for each model: seconds, memory, parity with transformers on a
short text. The weights are random: nothing here is about quality. Results: `results/full_size.json`,
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

from harness import RESULTS, run_measured, write_results

BINARY = str(Path(sys.executable).with_name("biencoder"))
LOAD = "import sys; from biencoder import Embedder; Embedder.load(sys.argv[1])"


def main() -> None:
    """Measure each model in turn; only one checkpoint is on disk at a time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=["300m", "1b", "3b", "8b"])
    names = parser.parse_args().models
    path = RESULTS / "full_size.json"
    models = json.loads(path.read_text())["models"] if path.exists() else {}
    for name in names:
        with tempfile.TemporaryDirectory(dir=".") as folder:
            models[name] = measure(name, Path(folder, name))
        print(name, json.dumps(models[name], indent=1), flush=True)
        print(write_results("full_size", {"models": models}))


def measure(name: str, folder: Path) -> dict[str, Any]:
    """One model: four commands, each in a process of its own."""
    text = folder.parent / "text.txt"
    text.write_text("When a river cuts off a bend, the bend becomes an oxbow lake.\n" * 8)
    made = _run([BINARY, "random", name, "--to", str(folder)])
    weights = sum(path.stat().st_size for path in folder.glob("*.safetensors")) / 1e6
    loaded = _run([sys.executable, "-c", LOAD, str(folder)])
    embedded = _run(
        [BINARY, "embed", str(text), "--model", str(folder), "--output", str(folder / "v.npy")]
    )
    checked = _run([BINARY, "check", str(folder), "--json"])
    # The verb's own lines (the licence, say) come before its one JSON document.
    output = checked["output"]
    report = json.loads(output[output.index("{\n") :])
    return {
        "weights MB": weights,
        "random": _figures(made),
        "load": _figures(loaded)
        | {
            "bound MB (1.2 x weights + 500)": 1.2 * weights + 500,
            "within the bound": loaded["peak anonymous MB"] <= 1.2 * weights + 500,
        },
        "embed 8 texts": _figures(embedded),
        "check": _figures(checked) | {"report": report},
    }


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
