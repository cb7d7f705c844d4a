"""How to get these numbers again."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from inspect import signature
from typing import Any

from biencoder.config.family import find_member
from biencoder.config.prompts import BRIGHT_INSTRUCTIONS
from biencoder.embedder.pages.page import MODALITIES
from biencoder.evaluate.benchmark_result import BenchmarkResult
from biencoder.evaluate.bm25 import BM25
from biencoder.evaluate.report.markup import Section, section, tag
from biencoder.evaluate.report.material import Entry, Material, by_dataset, unique
from biencoder.evaluate.report.words import one_line
from biencoder.types import PRECISIONS


def repeat(material: Material) -> Section:
    """The commands, model by model."""
    lines = [*_installation(material), *_commands(material)]
    lines.append("biencoder report results --output report.html")
    return section(
        "repeat",
        "How to repeat it",
        "FOLDER stands for the data, in BEIR layout, whose SHA-256 is the one above, QUESTIONS for the "
        "folder whose questions were asked; MODEL for a model that is not known by name. With the same digests and fingerprints the scores come out the "
        "same up to the last digits; speeds are of the machine.",
        tag("pre", tag("code", "\n".join(lines))),
    )


def _installation(material: Material) -> list[str]:
    versions = unique(
        str((entry.result.conditions.get("versions") or {}).get("biencoder", ""))
        for entry in material.entries
    )
    release = (
        f" of release {one_line(versions[0], 40)}" if len(versions) == 1 and versions[0] else ""
    )
    return [
        f"# in biencoder's source folder{release}",
        "pip install -c constraints.txt -e '.[eval]'",
    ]


def _commands(material: Material) -> Iterator[str]:
    families = unique(entry.family for entry in material.entries if not entry.lexical)
    for family in families:
        members = [entry for entry in material.entries if entry.family == family]
        alone = [entry for entry in members if entry.languages is None]
        for dataset, entries in by_dataset(alone).items():
            lexical = [e for e in material.entries if e.lexical and e.dataset == dataset]
            yield f"# {one_line(dataset, 80)}, {_name(entries[0])}"
            for options, same in _by_options(entries).items():
                yield _command(same, "--data FOLDER", options, lexical)
        for group in unique(entry.group for entry in members if entry.languages):
            entries = [entry for entry in members if entry.languages and entry.group == group]
            lexical = [e for e in material.aligned if e.lexical and e.group == group]
            yield f"# {one_line(group, 80)}, aligned, {_name(entries[0])}"
            for options, same in _by_options(entries).items():
                names = ",".join(unique(e.languages[0] for e in same if e.languages))
                data = f"--aligned FOLDER --languages {shlex.quote(names)}"
                yield _command(same, data, options, lexical)
    yield from map(_benchmark_command, material.benchmarks)


def _by_options(entries: Sequence[Entry]) -> dict[str, list[Entry]]:
    """Results that one command made: those of other options want another."""
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(" ".join(_options(entry)), []).append(entry)
    return groups


def _options(entry: Entry) -> Iterator[str]:
    """How the set was read and what the model was told, where that is not the default."""
    settings, model = entry.result.settings, entry.result.model
    if settings.get("queries_from"):
        yield "--queries-from QUESTIONS"
    for name, default in (("split", "test"), ("same_id", "auto")):
        if settings.get(name, default) != default:
            yield f"--{name.replace('_', '-')} {shlex.quote(str(settings[name]))}"
    instruction = _instruction(model)
    if instruction is not None:
        yield f"--instruction {shlex.quote(instruction)}"
    yield from _page_options(model)


def _page_options(model: Mapping[str, Any]) -> Iterator[str]:
    """What of a page was read; nothing for a model of texts."""
    if model.get("modality") in MODALITIES:
        yield f"--modality {model['modality']}"
    for name in ("max_tiles", "dpi"):
        if name in model:
            yield f"--{name.replace('_', '-')} {model[name]}"
    if "thumbnail" in model:
        yield "--thumbnail" if model["thumbnail"] else "--no-thumbnail"


def _instruction(model: Mapping[str, Any]) -> str | None:
    """The instruction inside the query's prompt, where the model is known and took one."""
    member = find_member(str(model.get("name", "")))
    told = str((model.get("prompts") or {}).get("query", ""))
    if member is None or told == member.prompts.query:
        return None
    if member.prompts.bright:
        names = (n for n in BRIGHT_INSTRUCTIONS if member.prompts.prefix("query", n) == told)
        return next(names, None)
    before, found, after = (member.prompts.instruction_template or "").partition("{instruction}")
    return told.removeprefix(before).removesuffix(after) if found else None


def _command(entries: Sequence[Entry], data: str, options: str, lexical: Sequence[Entry]) -> str:
    sizes = sorted({entry.dimensions for entry in entries} - {0})
    precisions = [p for p in PRECISIONS if any(entry.precision == p for entry in entries)]
    parts = [f"biencoder evaluate --model {_known(_name(entries[0]))} {data}"]
    # A result at the full size does not name it.
    if len(sizes) > 1 or any(f"{size} dimensions" in entries[0].result.system for size in sizes):
        parts.append(f"--dimensions {','.join(map(str, sizes))}")
    if precisions not in ([], ["float32"]):
        parts.append(f"--precision {','.join(precisions)}")
    parts += [options] if options else []
    parts.append(" ".join(_lexical_options(lexical[0])) if lexical else "--no-bm25")
    return " ".join(filter(None, parts))


def _lexical_options(entry: Entry) -> Iterator[str]:
    """BM25's options where they are not its defaults."""
    for name, parameter in signature(BM25).parameters.items():
        value = entry.result.model.get(name, parameter.default)
        if name == "texts" or value == parameter.default:
            continue
        option = f"--bm25-{name.replace('_', '-')}"
        yield option if value is True else f"{option} {shlex.quote(str(value))}"


def _benchmark_command(result: BenchmarkResult) -> str:
    model, asked = result.model, result.asked or _asked_by_title(result.benchmark)
    parts = [f"biencoder evaluate --model {_known(str(model.get('name')))}"]
    for name, value in asked.items():
        values = [f"{set_}=FOLDER" for set_ in value] if name == "folder" else [_joined(value)]
        parts += [f"--{name} {shlex.quote(one_line(each))}" for each in values]
    if model.get("prompting", "family") != "family":
        parts.append(f"--prompting {model['prompting']}")
    if model.get("dimensions"):
        parts.append(f"--dimensions {model['dimensions']}")
    parts += _page_options(model)
    return " ".join(parts)


def _joined(value: str | Sequence[str]) -> str:
    return value if isinstance(value, str) else ",".join(value)


def _asked_by_title(title: str) -> dict[str, str]:
    """Of a summary that does not say yet what was asked for."""
    if title.startswith("suite "):
        return {"suite": title.removeprefix("suite ")}
    name, _, languages = title.partition(", languages ")
    return {"benchmark": name} | ({"languages": languages.replace("+", ",")} if languages else {})


def _name(entry: Entry) -> str:
    return one_line(str(entry.result.model.get("name", "")), 80)


def _known(name: str) -> str:
    """A name that the tool knows, or a word for the reader's own path to the model."""
    return shlex.quote(name) if find_member(name) else "MODEL"
