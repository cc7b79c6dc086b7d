"""A twin of the MetroPT-3 machine: the air production unit of a metro train, one compressor and its reservoir.

Made from what is published of the data set (UCI 791), not from its rows: pressure between 8.05 and 10.05 bar, two
cycles an hour in February and three to four in summer, loaded for 109 s and later for 139 to 149 s, off, unloaded and
loaded 54.5, 29.9 and 15.6 % of the time, motor 0, 3.8 and 6.0 A, oil 57 deg C at the median, 17.8 % of the time without
rows.
Between the published numbers it is a model: how demand wanders, how large a hole is, what lies in the gaps.

Two kinds of holes: behind the reservoir (`leak`: air goes all the time) and at the dryer (`purge_leak`: air goes, and
its discharge pressure rises, only while the machine is loaded).
"""

from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
import numpy as np

from simulators.fault_kinds import Layer, kinds_of
from simulators.faults import Fault, fail_unknown
from simulators.message import Reading
from simulators.model.gas import grown_mm, orifice_m3_min
from simulators.model.noise import Drift
from telemetry.registry import Station
from telemetry.times import DAY_MS, HOUR_MS, to_datetime

CUT_IN_BAR, CUT_OUT_BAR = 8.08, 9.95
RUN_ON_S = 420.0
"""Unloaded before the motor stops."""
DEMAND_BAR_MIN, GAIN_BAR_MIN = (0.062, 0.118), (1.19, 0.97)
"""Fall by the train's use, and rise by the machine alone, on 1 February and from July on."""
SEASON = (32, 182)
"""Days of the year between which they move."""
NIGHT_SHARE, DAY_SHARE = 0.8, 1.09
"""Of the demand, before and after 05:00."""
WARM_BAR, WARM_S = 0.15, 45.0
"""The air that came last is warm: so much pressure goes as it cools down."""
OIL_C = {"stopped": 54.0, "unloaded": 67.0, "loaded": 89.0}
"""Where the oil tends to, 10 K less in winter."""
OIL_S = 1_500.0
MOTOR_A = {"stopped": 0.04, "unloaded": 3.85, "loaded": 6.0}
VENT_BAR_MIN = 0.6
DRYER_BAR = 2.6
"""Discharge pressure of the dryer when all of the machine's air goes through it."""
_NOISES = 8_192


class MetroSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the train and its logger behave."""

    unit: Literal["metropt3"] = "metropt3"
    volume_m3: float = 1.0
    """Of the reservoirs."""
    gaps_per_day: float = 1.55
    gap_h: float = 2.6
    """Mean length of a gap; the logger does not pause while air is lost, since the published onsets are seen."""
    bursts_per_day: float = 2.0
    """Times of heavy use, a minute to eight long: brakes tested, doors, suspension filled."""
    pulses_per_day: float = 2.0
    """Single high readings of the dryer's discharge pressure as its towers change over."""


class MetroUnit:
    """The model of one unit, built from its entry in `stations.toml`: a compressor, an air main and a dryer.

    Parameters
    ----------
    station
        One of each of these.
    settings
        Fields of `MetroSettings`.
    rng
        The only source of chance.
    """

    def __init__(self, station: Station, settings: dict[str, Any], rng: np.random.Generator) -> None:
        self.settings = msgspec.convert(settings, MetroSettings)
        self.compressor, self.main = station.compressors[0].id, station.air_mains[0].id
        self.dryer = station.dryers[0].id
        self.pressure_bar, self.state, self.oil_c = 9.3, "stopped", 53.0
        self.holes_mm: dict[str, float] = {}
        self.purges_mm: dict[str, float] = {}
        self.vented = False
        self._year = 0.0
        """1 January of the year, as a day since 1970."""
        self._size = float(rng.uniform(0.93, 1.07))
        """How a hole's true flow differs from its nominal one: diameters are nobody's statistics."""
        self._rng = rng
        self._use, self._strength = Drift(rng, 0.28, 2_400.0), Drift(rng, 0.07, 7_200.0)
        self._unloaded_s = 0.0
        self._warm_bar = 0.0
        self._burst_s = self._burst_bar_min = self._gap_s = 0.0
        self._noise = rng.standard_normal((_NOISES, 4))
        self._at = 0

    def apply(self, fault: Fault, strength: float) -> None:
        """Let a fault have that share of its size; 0 ends it.

        Raises
        ------
        ConfigError
            If it is no fault of such a unit.
        """
        name = f"{fault.at} {fault.full_size}"
        if fault.kind == "vent":
            self.vented = bool(strength)
        elif fault.kind in ("leak", "purge_leak"):
            holes = self.holes_mm if fault.kind == "leak" else self.purges_mm
            holes[name] = grown_mm(fault.full_size * self._size, strength)
            if not strength:
                del holes[name]
        else:
            fail_unknown(fault, "kind", ["leak", "purge_leak", "vent", *kinds_of(Layer.READING, Layer.WAY)])

    def describe(self, fault: Fault) -> dict[str, Any]:
        """Return what the truth says of a fault."""
        if fault.kind not in ("leak", "purge_leak"):
            return {}
        size = round(orifice_m3_min(fault.full_size * self._size, 9.0), 4)
        place = "network" if fault.kind == "leak" else f"machine:{self.dryer}"
        return {"place": place, "size": size, "unit": "m3/min", "diameter_mm": fault.full_size}

    def begin(self) -> None:
        """Do nothing: the unit keeps no books."""

    def key_figures(self) -> dict[str, float | None]:
        """Return none: the unit measures neither energy nor air."""
        return {}

    def step(self, now_ms: int, dt_s: float) -> list[Reading]:
        """Move on to `now_ms`, `dt_s` seconds after the last step, and return the row of that time."""
        self.advance(now_ms, dt_s)
        losing = bool(self.holes_mm or self.purges_mm)
        if self._gap_s > 0.0 and not losing:
            self._gap_s -= dt_s
            return []
        self._gap_s = 0.0
        if not losing and self._happens(self.settings.gaps_per_day, dt_s):
            self._gap_s = self._rng.exponential(3_600.0 * self.settings.gap_h)
        return self._row(dt_s)

    def advance(self, now_ms: int, dt_s: float) -> None:
        """Move on to `now_ms`, `dt_s` seconds after the last step, without a row."""
        season = self._season(now_ms)
        minutes = dt_s / 60.0
        hour = now_ms % DAY_MS / HOUR_MS
        use = float(np.exp(self._use.step(dt_s) - 0.04)) * (NIGHT_SHARE if hour < 5.0 else DAY_SHARE)
        fall = use * (DEMAND_BAR_MIN[0] + season * (DEMAND_BAR_MIN[1] - DEMAND_BAR_MIN[0]))
        gain = (GAIN_BAR_MIN[0] + season * (GAIN_BAR_MIN[1] - GAIN_BAR_MIN[0])) * (1.0 + self._strength.step(dt_s))
        fall += self._burst(dt_s) + self._lost(self.holes_mm)
        if self.vented:
            self._enter("stopped")
            self.pressure_bar = max(0.0, self.pressure_bar - VENT_BAR_MIN * minutes)
        else:
            self._follow(dt_s)
            if self.state == "loaded":
                self.pressure_bar += (gain - self._lost(self.purges_mm)) * minutes
        cooled = self._warm_bar * (1.0 - float(np.exp(-dt_s / WARM_S)))
        self._warm_bar -= cooled
        self.pressure_bar = max(0.0, self.pressure_bar - fall * minutes - cooled)
        self.oil_c += (OIL_C[self.state] - 10.0 * (1.0 - season) - self.oil_c) * min(1.0, dt_s / OIL_S)

    def _season(self, now_ms: int) -> float:
        if not 0.0 <= now_ms / DAY_MS - self._year < 365.0:
            self._year = datetime(to_datetime(now_ms).year, 1, 1, tzinfo=UTC).timestamp() / 86_400.0
        day = now_ms / DAY_MS - self._year
        return min(1.0, max(0.0, (day - SEASON[0]) / (SEASON[1] - SEASON[0])))

    def _happens(self, per_day: float, dt_s: float) -> bool:
        return bool(self._rng.random() < per_day * dt_s / 86_400.0)

    def _burst(self, dt_s: float) -> float:
        """Return the fall by heavy use [bar/min]."""
        if self._burst_s <= 0.0 and self._happens(self.settings.bursts_per_day, dt_s):
            self._burst_s = float(self._rng.uniform(60.0, 480.0))
            self._burst_bar_min = float(self._rng.uniform(0.2, 0.9))
        self._burst_s -= dt_s
        return self._burst_bar_min if self._burst_s > 0.0 else 0.0

    def _lost(self, holes_mm: dict[str, float]) -> float:
        """Return how fast the reservoir would lose pressure through holes [bar/min]."""
        flow = sum(orifice_m3_min(mm, self.pressure_bar) for mm in holes_mm.values())
        return flow / self.settings.volume_m3 if flow else 0.0

    def _follow(self, dt_s: float) -> None:
        if self.state == "loaded":
            if self.pressure_bar >= CUT_OUT_BAR:
                self._enter("unloaded")
                self._warm_bar = WARM_BAR
        elif self.pressure_bar <= CUT_IN_BAR:
            self._enter("loaded")
        elif self.state == "unloaded":
            self._unloaded_s += dt_s
            if self._unloaded_s >= RUN_ON_S:
                self._enter("stopped")

    def _enter(self, state: str) -> None:
        self.state = state
        self._unloaded_s = 0.0

    def _row(self, dt_s: float) -> list[Reading]:
        if self._at == _NOISES:
            self._noise, self._at = self._rng.standard_normal((_NOISES, 4)), 0
        bar, oil, amps, dryer = self._noise[self._at].tolist()
        self._at += 1
        loaded = self.state == "loaded"
        shown = round(self.pressure_bar + 0.003 * bar, 3)
        current = MOTOR_A[self.state] + (0.2 * (self.pressure_bar - 9.0) if loaded else 0.0)
        purge = -0.022 + 0.001 * dryer
        if loaded and self.purges_mm:
            share = self._lost(self.purges_mm) / GAIN_BAR_MIN[1]
            purge = max(0.0, DRYER_BAR * share * (1.0 + 0.1 * dryer))
        elif self._happens(self.settings.pulses_per_day, dt_s):
            purge = float(self._rng.uniform(0.3, 2.0))
        values: dict[str, float | int | str] = {
            "state": self.state, "discharge_pressure_bar": round(shown + 0.36, 3) if loaded else -0.012,
            "oil_temperature_c": round(self.oil_c + 0.15 * oil, 3),
            "motor_current_a": round(current + (0.03 if current > 1.0 else 0.003) * amps, 4),
        }
        return [
            Reading("compressor", self.compressor, values), Reading("air_main", self.main, {"pressure_bar": shown}),
            Reading("dryer", self.dryer, {"purge_pressure_bar": round(purge, 3)}),
        ]
