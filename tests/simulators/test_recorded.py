import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators import commands
from simulators.message import Message, telemetry, telemetry_topic
from simulators.recorded import recorded_messages, write_messages
from telemetry.errors import VoltairError

TOPIC = telemetry_topic("s", "port", "p1")
PAYLOADS = st.one_of(
    st.binary(max_size=30),
    st.sampled_from([b"", b"7.5", b"{}", b"[]", b'{"ts":5}', b'{"ts":5} ', b'[{"ts":1},{"ts":5}]']),
    st.sampled_from([b'{"a":\n1}', b'{"a":1}}', b'{"payload":"}']),
)
SUFFIXES = [".jsonl", ".parquet"]


@pytest.mark.parametrize("suffix", SUFFIXES)
@given(messages=st.lists(st.builds(Message, st.integers(0, 10), st.sampled_from([TOPIC, "a/ä"]), PAYLOADS)))
def test_any_messages_come_back_as_they_were(tmp_path_factory, suffix, messages):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path_factory.mktemp("recorded") / f"m{suffix}"
    assert write_messages(messages, path) == len(messages)
    assert list(recorded_messages(path, "")) == messages


def test_a_native_message_is_a_plain_line_and_its_time_is_its_own(tmp_path):
    path = tmp_path / "m.jsonl"
    write_messages([telemetry(TOPIC, 5, {"power_kw": 1.5}), Message(9, TOPIC, b'{"ts":5}')], path)
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {"topic": TOPIC, "payload": {"ts": 5, "power_kw": 1.5}},
        {"topic": TOPIC, "payload": {"ts": 5}, "time_ms": 9},
    ]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_simulated_into_a_file_is_replayed_from_it(tmp_path, suffix):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    faults = ["malformed,size=0.1", "reorder,size=30"]
    one, two = tmp_path / f"one{suffix}", tmp_path / f"two{suffix}"
    count = commands.simulate("air-day", duration="5m", out=one, faults=faults)
    assert commands.replay(one, format_name="voltair", out=two) == count > 100
    assert list(recorded_messages(one, "")) == list(recorded_messages(two, ""))
    if suffix == ".jsonl":
        assert one.read_bytes() == two.read_bytes()
        commands.simulate("air-day", duration="5m", out=two)
        assert one.read_bytes() != two.read_bytes()


@pytest.mark.parametrize(
    "line", ["", "topic", '{"topic":"a"}', '{"topic":1,"payload":{}}', '{"topic":"a","payload_base64":"?"}']
)
def test_a_line_that_is_no_message_is_named(tmp_path, line):
    path = tmp_path / "m.jsonl"
    path.write_text('{"topic":"a","payload":{"ts":5}}\n' + line + "\n")
    with pytest.raises(VoltairError, match=r"m\.jsonl, line 2: "):
        list(recorded_messages(path, ""))
