import pytest

from analytics.grades import Grade, grade_of
from telemetry.registry import Device


def machine(kw: float = 250, bar: float = 7, control: str | None = "fixed", cooling: str = "liquid") -> Device:
    return Device(id="c1", rated_kw=kw, rated_pressure_bar=bar, control=control, cooling=cooling)


@pytest.mark.parametrize(
    ("device", "specific", "grade"),
    [
        (machine(), 5.3, 1), (machine(), 5.31, 2), (machine(), 5.8, 2), (machine(), 6.4, 3), (machine(), 6.41, 4),
        (machine(75, cooling="air"), 60 * 0.0983, 1), (machine(75, cooling="air"), 7.8, 4),
        (machine(160, cooling="water"), 5.4, 1), (machine(80), 5.6, 1),
        (machine(90, 7.5, "vsd", "air"), 6.5, 1), (machine(90, 7.5, "vsd", "air"), 6.6, 2),
    ],
)
def test_the_scale_of_the_standard(device: Device, specific: float, grade: int) -> None:
    assert grade_of(device, specific) == Grade(grade, "")


@pytest.mark.parametrize(
    ("device", "named"),
    [
        (machine(132), "132 kW"), (machine(45), "45 kW"), (machine(400), "400 kW"), (machine(bar=13), "1.3 MPa"),
        (machine(control="centrifugal"), "centrifugal"), (machine(control=None), "control"), (None, "rated_kw"),
        (machine(250, 8, cooling="air"), "limit of grade 3 is not transcribed"),
    ],
)
def test_off_the_table_it_says_so(device: Device | None, named: str) -> None:
    found = grade_of(device, 9.9)
    assert found.grade is None
    assert named in found.reason
