"""Ordered charging against the recordings of a garage with 54 ports, in a closed loop."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.garage import Garage, read_garage, run


def garage(data_dir: Path, name: str) -> Garage:
    return read_garage(data_dir / "acn-sim" / f"three_phase-{name}.json.gz")


@pytest.fixture(scope="module")
def at_40(data_dir: Path) -> Garage:
    return garage(data_dir, "LLF-40")


def test_least_laxity_first_sets_every_current_that_the_recording_has(at_40: Garage) -> None:
    course, score = run(at_40, at_40.pilot_a.shape[1], capped=False)
    assert (course.current_a == at_40.pilot_a).all()
    assert (round(100 * score.delivered, 2), round(100 * score.met, 2), round(score.peak_kw, 1)) == (97.51, 86.58, 39.6)
    assert score.violations == 0


def test_the_advice_delivers_no_less_at_40_kw(at_40: Garage) -> None:
    _, score = run(at_40, at_40.pilot_a.shape[1])
    assert score.violations == 0
    assert score.delivered >= 0.9751
    assert score.peak_kw <= 40


def test_the_advice_delivers_no_less_than_least_laxity_first_at_50_kw(data_dir: Path) -> None:
    at_50 = garage(data_dir, "Unctrl-50")
    _, plain = run(at_50, 4_000, capped=False)
    _, advised = run(at_50, 4_000)
    assert advised.violations == plain.violations == 0
    assert advised.delivered >= plain.delivered > 0.99


def test_without_departures_the_shares_hold_the_limits_too(at_40: Garage) -> None:
    course, score = run(at_40, 1_000, known=False)
    assert score.violations == 0
    lines = np.abs(at_40.site.weight @ course.current_a)
    assert (lines <= at_40.most[:, None] + 1e-5).all()
    assert course.power_kw.max() > 0
