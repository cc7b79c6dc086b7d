"""The same seed gives the same bytes, whatever the processor can do."""

import hashlib
import os
import subprocess
import sys

import pytest

PROGRAM = """
import hashlib, sys
from simulators.scenario import load_scenario
from simulators.simulation import Simulation
found = hashlib.sha256()
for name in ("campus-week", "air-shared", "charging-network"):
    scenario = load_scenario(name)
    simulation = Simulation(scenario, 5, scenario.start_ms + 8 * 3_600_000, 1_800_000)
    for message in simulation.messages():
        found.update(message.topic.encode() + message.payload)
print(found.hexdigest())
"""


def _digest(**environ):
    found = subprocess.run(
        [sys.executable, "-c", PROGRAM], env={**os.environ, **environ}, capture_output=True, text=True, check=True
    )
    return found.stdout.strip()


def test_without_vector_instructions_and_with_another_hash_seed_the_bytes_are_the_same():
    features = "AVX512F AVX512CD AVX512_SKX AVX2 FMA3"
    first = _digest(PYTHONHASHSEED="1")
    assert len(first) == len(hashlib.sha256().hexdigest())
    if _digest_is_unsupported(features):
        pytest.skip("this numpy was built with these instructions and cannot do without them")
    assert _digest(PYTHONHASHSEED="2", NPY_DISABLE_CPU_FEATURES=features) == first


def _digest_is_unsupported(features):
    found = subprocess.run(
        [sys.executable, "-c", "import numpy"], env={**os.environ, "NPY_DISABLE_CPU_FEATURES": features},
        capture_output=True, check=False,
    )  # fmt: skip
    return found.returncode != 0
