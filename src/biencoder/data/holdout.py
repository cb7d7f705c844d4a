"""Set pairs aside before any training, whole groups at a time.

All pairs with the same positive stay on one side. The choice depends on the texts alone (order of
a hash), so it is the same for every shuffle of the input and needs no seed to be remembered.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable

from biencoder.data.rows import PairRow
from biencoder.errors import InputError


def choose_holdout(pairs: Iterable[PairRow], size: int) -> list[PairRow]:
    """At most ``size`` pairs, grouped by positive, in the order of the positives' hashes.

    Groups are taken whole while they fit, so the count is exact as soon as single pairs remain.
    """
    groups: defaultdict[str, list[PairRow]] = defaultdict(list)
    for pair in pairs:
        groups[pair.positive].append(pair)
    chosen: list[PairRow] = []
    for positive in sorted(groups, key=lambda text: hashlib.sha256(text.encode()).digest()):
        if len(chosen) + len(groups[positive]) <= size:
            chosen.extend(groups[positive])
        if len(chosen) == size:
            break
    return chosen


def split_by_ids(
    pairs: Iterable[PairRow], ids: Iterable[str]
) -> tuple[list[PairRow], list[PairRow]]:
    """``(training, held_out)``: held out is every pair whose id is listed.

    Raises InputError where a listed id is not among the pairs: then the data are not the data
    that the list was made for.
    """
    wanted = set(ids)
    training: list[PairRow] = []
    held_out: list[PairRow] = []
    for pair in pairs:
        (held_out if pair.id in wanted else training).append(pair)
    missing = wanted - {pair.id for pair in held_out}
    if missing:
        raise InputError(
            f"{len(missing)} of {len(wanted)} held-out pairs are not in the data, first {min(missing)}",
            hint="the file of pairs has changed since the held-out list was written",
        )
    return training, held_out
