"""The benchmark of ingest runs, and every contender gets every message."""

import re

import pytest
from servers import find_program

from benchmarks.contenders import CONTENDERS
from benchmarks.ingest import measure_ingest


@pytest.mark.server
def test_every_contender_fetches_every_message():
    find_program("mosquitto", "mosquitto")
    found = dict(measure_ingest(1_000))
    assert set(found) == {"messages", *CONTENDERS}
    assert found["messages"].startswith("1,000 of 16")
    measured = {name: text for name, text in found.items() if name != "messages" and "left out" not in text}
    assert {"ours", "paho", "paho-by-hand", "aiomqtt"} <= set(measured)
    for text in measured.values():
        assert float(re.match(r" *([\d.]+) us CPU/message", text)[1]) > 0
