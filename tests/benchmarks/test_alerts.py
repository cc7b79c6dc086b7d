"""A fixed part of the benchmark of alerts: a flood arrives whole, and kills lose and double nothing."""

import pytest

from benchmarks.alerts import flood, kills

pytestmark = [pytest.mark.server, pytest.mark.slow]


def test_a_flood_arrives_whole_and_grouped() -> None:
    found = flood(400)
    assert found.messages < 400 / 4
    assert found.api_ms


def test_kills_of_the_api_lose_and_double_nothing() -> None:
    found = kills(5, alerts=25)
    assert found.transitions == 50
    assert found.posts >= 50
