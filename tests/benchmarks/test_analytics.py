"""The benchmark of analytics runs, and DuckDB and polars find the same hours as Voltair."""

from benchmarks.analytics import measure_analytics


def test_hourly_utilisation_is_the_same_by_all_three() -> None:
    found = dict(measure_analytics(7, 1.6, memory=False))
    assert found["readings"].startswith("4,032 of 7 ports")
    for peer in ("duckdb", "polars"):
        assert found[f"hourly utilisation alone, {peer}"].endswith("equal to ours")
