import pytest

from store.schema import MEASUREMENTS, checked_aggregation, default_aggregation, is_fine


@pytest.mark.parametrize(
    ("measurement", "field", "expected"),
    [
        ("port", "power_kw", "mean"),
        ("port", "energy_kwh", "difference"),
        ("port", "status", "last"),
        ("port", "session_id", "last"),
        ("port", "seq", "last"),
        ("port", "departure", "last"),
        ("compressor", "flow_m3_min", "mean"),
        ("compressor", "loaded_h", "difference"),
        ("port_1m", "Charging_s", "sum"),
        ("port_1m", "known_s", "sum"),
        ("port_1m", "energy_kwh", "sum"),
        ("port_1m", "power_kw_mean", "mean"),
        ("port_1m", "power_kw_max", "max"),
        ("port_1m", "power_kw_last", "last"),
        ("port_1m", "status", "last"),
        ("port_1m", "status_code", "last"),
        ("air_main_1m", "flow_m3_min_mean", "mean"),
        ("air_main_1m", "flow_m3_min_min", "min"),
        ("air_station_1h", "kwh_per_m3", "mean"),
        ("air_station_1h", "supplied_m3", "sum"),
        ("air_station_1h", "flow_mean_m3_min", "mean"),
        ("air_station_1h", "leak_m3_min", "mean"),
        ("air_station_1h", "dew_point_max_c", "max"),
        ("air_station_1h", "savings_money", "sum"),
        ("charging_station_1h", "occupied_h", "sum"),
        ("charging_station_1h", "occupied_utilisation", "mean"),
        ("charging_station_1h", "peak_kw", "max"),
        ("charging_station_1h", "mean_session_kwh", "mean"),
        ("charging_station_1h", "sessions_successful", "sum"),
        ("charging_station_1h", "transformer_h_over_80pct", "sum"),
        ("device_info", "rated_kw", "last"),
    ],
)
def test_natural_aggregations(measurement: str, field: str, expected: str) -> None:
    assert measurement in MEASUREMENTS
    assert default_aggregation(measurement, field) == expected
    assert checked_aggregation(measurement, field, None) == expected


def test_aggregations_that_cannot_be_are_named() -> None:
    with pytest.raises(ValueError, match="'median' does not exist; use one of mean, last"):
        checked_aggregation("port", "power_kw", "median")
    with pytest.raises(ValueError, match="'status' holds words, which have no mean; use last or count"):
        checked_aggregation("port", "status", "mean")
    assert checked_aggregation("port", "status", "count") == "count"


def test_raw_and_one_minute_rows_are_fine() -> None:
    fine = {name for name in MEASUREMENTS if is_fine(name)}
    assert {"port", "air_meter", "port_1m", "charging_station_1m", "air_station_1m"} <= fine
    assert fine.isdisjoint({"port_15m", "port_1h", "session", "alert", "air_customer_1h", "device_info"})
