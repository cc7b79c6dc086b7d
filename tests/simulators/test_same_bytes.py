"""The same seed gives the same bytes, whatever the processor can do."""

import os
import subprocess
import sys

import numpy as np
import pytest

PROGRAM = """
import hashlib
import numpy as np
from simulators.scenario import load_scenario
from simulators.simulation import Simulation
found = hashlib.sha256()
for name in ("campus-week", "air-shared", "charging-network"):
    scenario = load_scenario(name)
    simulation = Simulation(scenario, 5, scenario.start_ms + 8 * 3_600_000, 1_800_000)
    for message in simulation.messages():
        found.update(message.topic.encode() + message.payload)
print(found.hexdigest(), *np.show_config(mode="dicts")["SIMD Extensions"].get("found", ()))
"""


def _run(**environ):
    """Return the digest, and the vector instructions that numpy had."""
    argv = [sys.executable, "-W", "error", "-c", PROGRAM]
    done = subprocess.run(argv, env={**os.environ, **environ}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    digest, *features = done.stdout.split()
    return digest, features


def test_without_vector_instructions_and_with_another_hash_seed_the_bytes_are_the_same():
    features = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    if not features:
        pytest.skip("numpy uses no vector instructions beyond its baseline on this processor")
    digest, had = _run(PYTHONHASHSEED="1")
    assert had == features
    for kept in sorted({0, 1} - {len(features)}):  # none, and the first alone: of x86 that is AVX2 without AVX-512
        disabled = " ".join(features[kept:])
        assert _run(PYTHONHASHSEED="2", NPY_DISABLE_CPU_FEATURES=disabled) == (digest, features[:kept])
