import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.errors import FrameError
from telemetry.points import NO_INT, Column, Points
from wire.points_codec import decode_points, encode_points


def make(n: int, fields: dict[str, Column], *, derived: bool = True) -> Points:
    return Points(
        "port_1m",
        {"station": ("harbour",) * n, "device": tuple(f"p{i % 3}" for i in range(n))},
        np.arange(n, dtype=np.int64) * 60_000,
        np.full(n, -1, np.int64),
        fields,
        derived,
    )


def assert_same(a: Points, b: Points) -> None:
    assert (a.measurement, a.derived, dict(a.tags)) == (b.measurement, b.derived, dict(b.tags))
    np.testing.assert_array_equal(a.time_ms, b.time_ms)
    np.testing.assert_array_equal(a.seq, b.seq)
    assert list(a.fields) == list(b.fields)
    for name, column in a.fields.items():
        other = b.fields[name]
        assert isinstance(other, type(column))
        if isinstance(column, tuple):
            assert column == other
        else:
            assert column.dtype == np.asarray(other).dtype
            np.testing.assert_array_equal(column, other)


@given(
    st.lists(
        st.tuples(
            st.floats(),
            st.integers(NO_INT, 2**63 - 1),
            st.none() | st.text(),
            st.integers(-1, 10),
            st.none() | st.text(),
        ),
        max_size=300,
    ),
    st.booleans(),
)
def test_points_survive_the_trip(
    rows: list[tuple[float, int, str | None, int, str | None]], derived: bool
) -> None:
    points = Points(
        "alert",
        {"station": tuple(row[4] for row in rows)},
        np.array([row[1] for row in rows], np.int64),
        np.array([row[3] for row in rows], np.int64),
        {
            "value": np.array([row[0] for row in rows], np.float64),
            "count": np.array([row[1] for row in rows], np.int64),
            "text": tuple(row[2] for row in rows),
        },
        derived,
    )
    assert_same(points, decode_points(encode_points(points)))


@pytest.mark.parametrize("distinct", [1, 127, 128, 129, 40_000])
def test_any_number_of_distinct_texts(distinct: int) -> None:
    points = make(distinct, {"session_id": tuple(f"s{i}" for i in range(distinct))})
    assert_same(points, decode_points(encode_points(points)))


def test_repeated_rows_are_small() -> None:
    n = 10_000
    points = make(n, {"known_s": np.full(n, 60.0), "status": ("Available",) * n})
    assert len(encode_points(points)) < 4 * n


def test_a_changed_byte_is_refused() -> None:
    data = encode_points(make(50, {"known_s": np.linspace(0, 1, 50)}))
    for position in (0, 5, len(data) // 2, len(data) - 1):
        damaged = bytearray(data)
        damaged[position] ^= 0x10
        with pytest.raises(FrameError, match="checksum"):
            decode_points(bytes(damaged))
    with pytest.raises(FrameError, match="checksum"):
        decode_points(data[:20])
    with pytest.raises(FrameError, match="checksum"):
        decode_points(b"")


def test_a_column_of_the_wrong_length_is_named() -> None:
    with pytest.raises(ValueError, match=r"'known_s' of 'port_1m' has 2 values for 3 points"):
        encode_points(make(3, {"known_s": np.zeros(2)}))
