import numpy as np

from store.journal import DeviceKey
from store.raw_points import frame_points
from telemetry.channels import COMPRESSOR, PORT, PORT_STATUS, Kind
from telemetry.frame import NO_CODE, Frame
from telemetry.points import NO_INT

DEVICES = [
    DeviceKey("harbour", "port", "p1"),
    DeviceKey("harbour", "port", "p2"),
    DeviceKey("isle", "compressor", "c1"),
]
T0 = 1_732_240_000_000


def frame(kind: Kind, rows: list[dict[str, float | str | int]], texts: tuple[str, ...] = ()) -> Frame:
    """Build a frame; `device` and `seq` are keys like the channels, states are words."""
    n = len(rows)
    values = np.full((n, len(kind.values)), np.nan)
    codes = np.full((n, len(kind.codes)), NO_CODE, np.int32)
    for i, row in enumerate(rows):
        for name, value in row.items():
            if name in kind.value_index:
                values[i, kind.value_index[name]] = value
            elif name in kind.code_index:
                states = kind.codes[kind.code_index[name]].states or texts
                codes[i, kind.code_index[name]] = states.index(str(value))
    return Frame(
        kind,
        np.array([row.get("device", 0) for row in rows], np.int32),
        T0 + np.arange(n, dtype=np.int64),
        np.array([row.get("seq", -1) for row in rows], np.int64),
        np.zeros(n, np.uint16),
        values,
        codes,
        texts,
    )


def test_every_sort_of_channel() -> None:
    points = frame_points(
        frame(
            PORT,
            [
                {
                    "power_kw": 6.9, "energy_kwh": 10.5, "status": "Charging", "session_id": "s-1",
                    "departure": T0, "seq": 7,
                },
                {"device": 1, "power_kw": 0.0, "status": "Available"},
            ],
            texts=("other", "s-1"),
        ),
        DEVICES,
    )
    assert (points.measurement, points.derived) == ("port", False)
    assert points.tags == {"station": ("harbour", "harbour"), "device": ("p1", "p2")}
    assert points.time_ms.tolist() == [T0, T0 + 1]
    assert points.seq.tolist() == [7, -1]
    fields = dict(points.fields)
    assert fields.pop("status") == ("Charging", "Available")
    assert fields.pop("session_id") == ("s-1", None)
    np.testing.assert_array_equal(fields.pop("departure"), [T0, NO_INT])
    np.testing.assert_array_equal(fields.pop("seq"), [7, NO_INT])
    np.testing.assert_array_equal(fields.pop("power_kw"), [6.9, 0.0])
    np.testing.assert_array_equal(fields.pop("energy_kwh"), [10.5, np.nan])
    assert fields == {}


def test_the_connector_is_a_tag_where_it_is_sent() -> None:
    points = frame_points(
        frame(PORT, [{"power_kw": 1.0, "connector": "2"}, {"power_kw": 1.0}], texts=("1", "2")), DEVICES
    )
    assert points.tags["connector"] == ("2", None)
    assert "connector" not in points.fields


def test_presence_and_mere_signs_of_life_yield_no_point() -> None:
    rows: list[dict[str, float | str | int]] = [
        {},
        {"online": "0"},
        {"online": "1", "seq": 4},
        {"connector": "1"},
        {"seq": 5},
        {"status": "Faulted"},
    ]
    points = frame_points(frame(PORT, rows, texts=("1",)), DEVICES)
    assert points.time_ms.tolist() == [T0 + 4, T0 + 5]
    assert points.fields["status"] == (None, "Faulted")
    assert "online" not in points.fields


def test_all_states_have_their_own_word() -> None:
    points = frame_points(frame(PORT, [{"status": s} for s in PORT_STATUS]), DEVICES)
    assert points.fields["status"] == PORT_STATUS
    machine = frame_points(frame(COMPRESSOR, [{"device": 2, "state": "loaded"}]), DEVICES)
    assert machine.fields["state"] == ("loaded",)
    assert machine.tags == {"station": ("isle",), "device": ("c1",)}
