"""Killed while pages are indexed and run again: rows, vectors and pictures are as if undisturbed."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from tests.index import made_pages
from tests.index.crash_rounds import Job, Server, make_job, serving, some_points

JOBS = ("first run", "changed sources", "compaction", "re-embedding")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving("tests.index.page_crash_child") as server:
        yield server


@pytest.fixture(scope="module", params=JOBS)
def job(
    request: pytest.FixtureRequest, server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Job:
    place = tmp_path_factory.mktemp("job")
    return make_job(server, place, request.param, made_pages.write_sources)


def test_killed_at_a_commit_point_no_page_stands_without_its_picture(job: Job) -> None:
    """`made_pages.contents` looks at every page that is acknowledged. Two points, chosen anew each time."""
    assert len(job.points) > 50
    for point in some_points(job, random.Random()):
        job.kill_at(point)


@pytest.mark.soak
def test_killed_at_any_commit_point(job: Job) -> None:
    for point in range(0, len(job.points), 3):
        job.kill_at(point)
