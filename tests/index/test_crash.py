"""Killed at any moment and run again: ids, counts, vectors and best passages are as if undisturbed."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from tests.index import made_index
from tests.index.crash_rounds import JOBS, Job, Server, look, make_job, serving, some_points, work
from tests.index.made_disk import small_disk


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture(scope="module", params=JOBS)
def job(
    request: pytest.FixtureRequest, server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Job:
    return make_job(server, tmp_path_factory.mktemp("job"), request.param)


def test_killed_at_a_commit_point_it_goes_on_to_the_same_end(job: Job) -> None:
    """Two of them, chosen anew each time; all in the soak."""
    assert len(job.points) > 100
    for point in some_points(job, random.Random()):
        job.kill_at(point)


def test_killed_at_a_random_moment_it_goes_on_to_the_same_end(job: Job) -> None:
    job.kill_after(random.uniform(0, job.seconds))


def test_on_a_disk_that_is_full_nothing_is_lost_and_the_next_run_goes_on(
    server: Server, tmp_path: Path
) -> None:
    """A file system of its own; about 640 KiB are needed, and the soak tries the amounts below."""
    check_full_disk(server, tmp_path, [60, 200, 450])


@pytest.mark.soak
def test_however_full_the_disk_is(server: Server, tmp_path: Path) -> None:
    check_full_disk(server, tmp_path, range(4, 600, 16))


def check_full_disk(server: Server, place: Path, sizes: Iterable[int]) -> None:
    source, undisturbed = made_index.write_sources(place / "source"), place / "undisturbed"
    answer = server.ask(work("index", source, undisturbed), look(undisturbed))
    expected = answer["results"][-1]
    with small_disk(place / "disk", 4096) as disk:
        folder, filler = disk / "index", disk / "filler"
        for size in sizes:
            shutil.rmtree(folder, ignore_errors=True)
            filler.write_bytes(bytes(_free(disk) - size * 1024))
            refused = server.ask(work("index", source, folder))
            assert "refused" in refused["results"][0], f"{size} KiB: {refused}"
            filler.unlink()
            known = made_index.acknowledged(made_index.live(folder))
            again = server.ask(work("index", source, folder), look(folder))["results"]
            assert again[0]["documents"] == 42 - len(known), f"{size} KiB"
            assert again[1] == expected, f"{size} KiB"


def _free(disk: Path) -> int:
    found = os.statvfs(disk)
    return found.f_bavail * found.f_frsize
