import pytest
from hypothesis import given
from hypothesis import strategies as st
from naive import air as naive

from analytics.kernels.flow import ANR, INLET, NORMAL, AirState, AirVolume, conversion, state_of

STATES = st.builds(AirState, st.floats(-30, 50), st.floats(0.6, 1.1), st.floats(0, 1))


@pytest.mark.parametrize(
    ("state", "normal", "anr"),
    [
        (ANR, 0.91959, 1.0),
        (AirState(20, 1.0), 0.9196, 1.0),
        (AirState(35, 1.005, 0.8), 0.8399, 0.9133),
        (AirState(0, 1.025, 0.6), 1.0080, 1.0961),
    ],
)
def test_vectors_of_the_field(state: AirState, normal: float, anr: float) -> None:
    assert AirVolume(1.0, state).to(NORMAL).m3 == pytest.approx(normal, abs=1e-4)
    assert AirVolume(1.0, state).to(ANR).m3 == pytest.approx(anr, abs=1e-4)


def test_iso_8778_itself_counts_more_volume() -> None:
    assert conversion(ANR, AirState(20.0, 1.0, 0.65)) == pytest.approx(1.015, abs=1e-3)


@given(STATES, STATES, STATES)
def test_conversions_agree_whatever_the_way(a: AirState, b: AirState, c: AirState) -> None:
    assert conversion(a, b) * conversion(b, a) == pytest.approx(1)
    assert conversion(a, b) * conversion(b, c) == pytest.approx(conversion(a, c))


def test_free_air_counts_at_the_declared_inlet() -> None:
    summer = AirState(35, 1.005, 0.8)
    assert state_of("FAD", summer) is summer
    assert state_of("FAD", None) is INLET
    assert (state_of("ANR", summer), state_of("NORMAL", summer)) == (ANR, NORMAL)


@given(STATES, STATES)
def test_conversion_is_that_of_the_twin(a: AirState, b: AirState) -> None:
    expected = naive.conversion(a.temperature_c, a.pressure_bar, a.humidity, b.temperature_c, b.pressure_bar,
                                b.humidity)
    assert conversion(a, b) == pytest.approx(expected, rel=1e-9)
