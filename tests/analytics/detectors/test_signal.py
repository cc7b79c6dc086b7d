import msgspec
import numpy as np

from analytics.detectors.signal import Signal


def test_evidence_is_json_whatever_numbers_a_detector_counts_with() -> None:
    none = np.zeros(1, np.int64)
    found = {
        "kwh": np.float64(1.5), "count": np.int64(3), "known": np.bool_(True), "unknown": np.float64("nan"),
        "methods": {"base_flow": np.float64(2.0)}, "devices": ["a", np.int64(1)], "place": "network",
    }
    signal = Signal("", ("",), none, none, np.zeros(1), np.ones(1), lambda _row: found)
    assert msgspec.json.decode(msgspec.json.encode(signal.evidence(0))) == {
        "kwh": 1.5, "count": 3, "known": True, "unknown": None, "methods": {"base_flow": 2.0}, "devices": ["a", 1],
        "place": "network",
    }
