"""A fixed part of `./dev bench fuzz`, and that it would find something."""

import time

import pytest

from benchmarks import fuzz
from benchmarks.fuzz import TARGETS, Hang, patience, run_case
from telemetry.errors import FrameError
from wire.mqtt import parse

CASES = {
    "parser": 16_000, "payload": 32_000, "decoder": 1_600, "frame": 4_000, "fields": 1_200, "senml": 3_600,
    "sparkplug": 2_400, "ocpp": 3_200,
}  # fmt: skip
"""About a second of CPU each, by count, so that every run does the same; longer: `./dev bench fuzz`."""


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_but_the_declared_errors_comes_out(target):
    for number in range(CASES[target]):
        run_case(target, 1, number)


def test_a_case_is_the_same_each_time():
    made = [fuzz.payload(fuzz.Make("x")) for _ in range(2)]
    assert made[0] == made[1]


@pytest.mark.parametrize(
    ("target", "place", "mistake"),
    [
        ("parser", (parse, "_long_length"), ValueError("planted")),
        ("payload", (fuzz, "read_time"), ValueError("planted")),
        ("decoder", (fuzz, "encode_frame"), FrameError("planted")),
        ("frame", (fuzz, "decode_frame"), KeyError("planted")),
    ],
)
def test_a_planted_mistake_is_found(target, place, mistake, monkeypatch):
    def fail(*_args):
        raise mistake

    def hunt():
        for number in range(200):
            run_case(target, 1, number)

    monkeypatch.setattr(*place, fail)
    with pytest.raises(AssertionError, match=rf"run_case\('{target}', 1, \d+\)"):
        hunt()


def test_a_decoder_that_fails_on_one_message_is_found(monkeypatch):
    monkeypatch.setattr("ingest.decode.read_times", lambda _elements: 1 / 0)
    with pytest.raises(AssertionError, match="Voltair failed"):
        run_case("decoder", 1, 0)


def test_a_hang_is_found(monkeypatch):
    def hang():
        with patience():
            while True:
                time.monotonic()

    monkeypatch.setattr(fuzz, "PATIENCE_S", 0.05)
    with pytest.raises(Hang):
        hang()
