"""How to get these numbers again."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from biencoder.config.family import find_member
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
        "FOLDER stands for the data, in BEIR layout, whose SHA-256 is the one above; MODEL for a model "
        "that is not known by name. With the same digests and fingerprints the scores come out the "
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
            lexical = any(e.lexical for e in material.entries if e.dataset == dataset)
            yield f"# {one_line(dataset, 80)}, {_name(entries[0])}"
            yield _command(entries, "--data FOLDER", lexical)
        for group in unique(entry.group for entry in members if entry.languages):
            entries = [entry for entry in members if entry.languages and entry.group == group]
            names = ",".join(unique(e.languages[0] for e in entries if e.languages))
            lexical = any(e.lexical for e in material.aligned if e.group == group)
            yield f"# {one_line(group, 80)}, aligned, {_name(entries[0])}"
            yield _command(entries, f"--aligned FOLDER --languages {shlex.quote(names)}", lexical)
    for benchmark in material.benchmarks:
        suite = benchmark.benchmark.removeprefix("suite ")
        name = str(benchmark.model.get("name"))
        which = "--suite" if suite != benchmark.benchmark else "--benchmark"
        yield f"biencoder evaluate --model {_known(name)} {which} {shlex.quote(one_line(suite))}"


def _command(entries: Sequence[Entry], data: str, lexical: bool) -> str:
    sizes = sorted({entry.dimensions for entry in entries} - {0})
    precisions = [p for p in PRECISIONS if any(entry.precision == p for entry in entries)]
    parts = [f"biencoder evaluate --model {_known(_name(entries[0]))} {data}"]
    if len(sizes) > 1:
        parts.append(f"--dimensions {','.join(map(str, sizes))}")
    if precisions not in ([], ["float32"]):
        parts.append(f"--precision {','.join(precisions)}")
    if not lexical:
        parts.append("--no-bm25")
    return " ".join(parts)


def _name(entry: Entry) -> str:
    return one_line(str(entry.result.model.get("name", "")), 80)


def _known(name: str) -> str:
    """A name that the tool knows, or a word for the reader's own path to the model."""
    return shlex.quote(name) if find_member(name) else "MODEL"
