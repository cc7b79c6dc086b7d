"""The replays of the recordings, run side by side once for all tests of the river."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from river.replays import JOBS, Replays

_SIDE_BY_SIDE = 4
"""Stacks at once: the paced ones leave the cores to the others while they wait."""


@pytest.fixture(scope="session")
def replays(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replays]:
    folder = tmp_path_factory.mktemp("replays")
    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        try:
            yield Replays({name: pool.submit(job, data_dir, folder / name) for name, job in JOBS.items()})
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
