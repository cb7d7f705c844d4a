"""What a checkpoint is: dialect, member, tensors, licence, prompts, limits. Nothing is computed."""

from __future__ import annotations

from pathlib import Path

import torch

from biencoder.config.dialects import Dialect, detect_dialect, read_json
from biencoder.config.model import LlamaConfig
from biencoder.diagnosis.findings import Datum, Finding, State
from biencoder.embedder.embedder import Embedder
from biencoder.embedder.hub import BUNDLED, Source, locate
from biencoder.embedder.loading import read_config
from biencoder.embedder.places import is_adapter, read_adapter
from biencoder.embedder.profile import Profile
from biencoder.models.checkpoint import count_parameters
from biencoder.models.layouts import canonical_name
from biencoder.models.shards import read_tensors, weight_files

_DIALECTS: dict[Dialect, str] = {
    "D1": "the spelling of the first releases; code that it names is never run",
    "D2": "the first spelling, patched for newer libraries",
    "D3": "as transformers 5 saves it",
    "D4": "a stock Llama that is marked as not causal",
    "causal base": "a causal Llama, no embedding model",
}


def base_folder(source: Source) -> Path:
    """The folder with the weights: for an adapter, that of its base model."""
    if not is_adapter(source.folder):
        return source.folder
    return locate(read_adapter(source.folder).base_model).folder


def dialect(source: Source) -> Finding:
    """Which spelling config.json uses; a configuration that must not be loaded is an error."""
    folder = base_folder(source)
    name = detect_dialect(read_json(folder / "config.json"))
    read_config(folder)
    value = f"D6 over {name}" if is_adapter(source.folder) else name
    return Finding("dialect", "ok", value, _DIALECTS[name], {"dialect": value})


def tensors(source: Source) -> Finding:
    """How many tensors the files hold, and in which number format."""
    folder = base_folder(source)
    config = read_config(folder)
    expected = config.tensor_shapes()
    used = dropped = 0
    formats: set[str] = set()
    for name, tensor in read_tensors(weight_files(folder)):
        if canonical_name(name) is None:
            dropped += 1
            continue
        used += 1
        formats.add(str(tensor.dtype).removeprefix("torch."))
    also = f"; {dropped} more are not needed and were left" if dropped else ""
    return Finding(
        "tensors",
        "ok" if used == len(expected) else "failed",
        f"{used} in {', '.join(sorted(formats))}",
        f"{config.num_hidden_layers} layers of 9, and 2, make {len(expected)}{also}",
        {"tensors": used, "expected": len(expected), "dropped": dropped},
    )


def parameters(profile: Profile, config: LlamaConfig) -> Finding:
    """Stored numbers, against the family's table."""
    stored = count_parameters(config)
    found = profile.member
    state: State = "ok"
    if found is None or found.config is None:
        reason = "the family's table has no such model to compare with"
    elif stored == (listed := count_parameters(found.config)):
        reason = f"the same as the family's table has for {found.name}"
    else:
        state = "warning"
        inferred = " (partly inferred there)" if found.inferred else ""
        reason = f"the family's table has {listed:,} for {found.name}{inferred}"
    return Finding("stored parameters", state, f"{stored:,}", reason, {"parameters": stored})


def member(profile: Profile) -> Finding:
    """Which member of the family it is, and how that is known."""
    found = profile.member
    if found is None:
        return Finding("member", "warning", "unknown", f"recognised by {profile.recognised_by}")
    inferred = f"; inferred, not published: {', '.join(found.inferred)}" if found.inferred else ""
    reason = f"recognised by {profile.recognised_by}{inferred}"
    return Finding("member", "ok", found.id, reason, {"member": found.id})


def weights(embedder: Embedder) -> Finding:
    """Whose weights these are, as far as that can be known."""
    source, profile = embedder.source, embedder.profile
    if profile.random_weights:
        reason = "they serve to measure loading, memory and speed; the vectors mean nothing"
        return Finding("weights", "warning", "random numbers", reason, {"random": True})
    data: dict[str, Datum] = {
        "random": False,
        "repository": source.repository,
        "revision": source.revision,
    }
    if source.repository is not None:
        value = f"{source.repository} at {source.revision}"
        return Finding("weights", "ok", value, "fetched from the hub", data)
    if source.folder.parent == BUNDLED:
        return Finding("weights", "ok", "shipped with biencoder", "", data)
    reason = "a folder on this disk: nothing proves whose weights it holds"
    return Finding("weights", "ok", str(source.folder), reason, data)


def licence(profile: Profile) -> Finding:
    """The licence, and whether commercial use is allowed."""
    commercial = profile.commercial_use
    reason = {
        True: "commercial use is allowed, on its terms",
        False: "not for commercial use",
        None: "whether commercial use is allowed is not stated",
    }[commercial]
    data: dict[str, Datum] = {"licence": profile.license, "commercial_use": commercial}
    return Finding("licence", "ok" if commercial else "warning", profile.license, reason, data)


def prompts(profile: Profile) -> Finding:
    """What goes before a query and a document, and who says so."""
    words, origin = profile.prompts, profile.prompts_from
    value = f"{words.query!r} before queries, {words.document!r} before documents"
    data = {"query": words.query, "document": words.document, "from": origin}
    known = not origin.startswith("nowhere")
    return Finding("prompts", "ok" if known else "warning", value, f"from {origin}", data)


def max_tokens(profile: Profile) -> Finding:
    """The longest text, prompt and special tokens included."""
    listed = profile.member.max_tokens if profile.member else profile.max_tokens
    same = listed == profile.max_tokens
    reason = "" if same else f"the checkpoint's own files say so; the family's table has {listed:,}"
    data = {"max_tokens": profile.max_tokens}
    return Finding("maximum tokens", "ok", f"{profile.max_tokens:,}", reason, data)


def dimensions(profile: Profile, config: LlamaConfig) -> Finding:
    """The vector sizes on offer; the last must be the model's own."""
    offered = [*profile.dimensions]
    fits = offered[-1] == config.hidden_size and offered[0] > 0
    reason = "trained to be cut (Matryoshka)" if len(offered) > 1 else "not trained to be cut"
    if not fits:
        reason = f"the model computes vectors of {config.hidden_size} numbers"
    value = ", ".join(map(str, offered))
    data = {"dimensions": offered}
    return Finding("dimensions", "ok" if fits else "failed", value, reason, data)


def placement(embedder: Embedder, seconds: float) -> Finding:
    """Where and in which number format it computes, and how long loading took."""
    where = embedder.placement
    name = str(where.dtype).removeprefix("torch.")
    slow = where.device.type == "cpu" and where.dtype is torch.float32
    return Finding(
        "loading",
        "ok",
        f"{seconds:.1f} s, {name} on {where.device}",
        where.reason + ("; `biencoder doctor` tells what that costs" if slow else ""),
        {"seconds": round(seconds, 3), "dtype": name, "device": str(where.device)},
    )
