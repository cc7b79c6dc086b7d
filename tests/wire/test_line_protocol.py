import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.points import NO_INT, Column, Points
from wire.line_protocol import to_lines


def make(
    fields: dict[str, Column],
    *,
    tags: dict[str, tuple[str | None, ...]] | None = None,
    measurement: str = "port",
    time_ms: int = 1_732_240_000_123,
    seq: tuple[int, ...] = (-1,),
) -> Points:
    n = len(seq)
    return Points(
        measurement,
        tags or {"station": ("harbour",) * n, "device": tuple(f"p{i}" for i in range(n))},
        np.full(n, time_ms),
        np.array(seq),
        fields,
    )


def test_one_reading_of_every_type() -> None:
    points = make({"power_kw": np.array([6.9]), "seq": np.array([17]), "status": ("Charging",)}, seq=(17,))
    assert to_lines(points) == [
        'port,device=p0,station=harbour power_kw=6.9,seq=17i,status="Charging" 1732240000123000017'
    ]


def test_missing_values_are_absent_and_a_point_without_any_is_no_line() -> None:
    points = make(
        {
            "a": np.array([np.nan, 1.0, np.nan, np.inf]),
            "b": np.array([NO_INT, NO_INT, NO_INT, 4]),
            "c": ("x", None, None, ""),
        },
        seq=(-1, -1, -1, -1),
    )
    assert to_lines(points) == [
        'port,device=p0,station=harbour c="x" 1732240000123000000',
        "port,device=p1,station=harbour a=1.0 1732240000123000000",
        'port,device=p3,station=harbour b=4i,c="" 1732240000123000000',
    ]


@pytest.mark.parametrize(("seq", "nanoseconds"), [(-1, 0), (0, 0), (999_999, 999_999), (1_000_017, 17)])
def test_seq_keeps_readings_of_one_millisecond_apart(seq: int, nanoseconds: int) -> None:
    assert to_lines(make({"a": np.array([1.0])}, seq=(seq,), time_ms=1))[0].endswith(f" {1_000_000 + nanoseconds}")


def test_names_tags_and_texts_are_escaped() -> None:
    points = make(
        {"a b,c=d%s": ('say "hi" \\ there,\nyou',)},
        tags={"z=": ("back\\",), "customer": ("a, b=c\nd",), "connector": (None,), "empty": ("",)},
        measurement="my port,x",
    )
    line = (
        r'my\ port\,x,customer=a\,\ b\=c\nd,z\==back/ a\ b\,c\=d%s="say \"hi\" \\ there,'
        '\nyou" 1732240000123000000'
    )
    assert to_lines(points) == [line]


def test_no_points_no_fields_no_tags() -> None:
    assert to_lines(make({}, seq=())) == []
    assert to_lines(make({"a": np.array([])}, seq=())) == []
    assert to_lines(make({}, seq=(1,))) == []
    untagged = Points("x", {}, np.array([1]), np.array([-1]), {"a": np.array([1.0])})
    assert to_lines(untagged) == ["x a=1.0 1000000"]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=50))
def test_floats_read_back_as_the_same_numbers(values: list[float]) -> None:
    lines = to_lines(make({"a": np.array(values)}, seq=(-1,) * len(values)))
    assert [float(line.split(" ")[1].removeprefix("a=")) for line in lines] == values


@given(st.lists(st.integers(NO_INT + 1, 2**63 - 1), min_size=1, max_size=50))
def test_integers_keep_every_digit(values: list[int]) -> None:
    lines = to_lines(make({"a": np.array(values, np.int64)}, seq=(-1,) * len(values)))
    assert [line.split(" ")[1] for line in lines] == [f"a={value}i" for value in values]
