"""What a small compressed-air station may send about an hour with an edge of local time, made from a seed.

Registers that reset, glitch or stand still, channels that come and go, silences to the millisecond around
`offline_after_s`, presence, clocks that jump by minutes, readings split in two or corrected, and a delivery that is
late, repeated, in batches, with a backlog at its end.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import pairwise
from random import Random
from zoneinfo import ZoneInfo

from naive.readings import Reading, Settings
from naive.streams import reading

ZONE = ZoneInfo("Europe/Berlin")
EDGES_MS = [int(datetime(*at, tzinfo=UTC).timestamp()) * 1000 for at in (
    (2024, 3, 30, 23), (2024, 3, 31, 1), (2024, 10, 27, 1), (2024, 10, 31, 23), (2024, 7, 4, 0))]
"""Midnight before the clocks go on, that jump, the one back, the first of a month, midnight of UTC."""
KINDS: Mapping[str, str] = {
    "c1": "compressor", "c2": "compressor", "c9": "compressor", "d1": "dryer", "x1": "auxiliary", "main": "air_main",
    "main2": "air_main", "m1": "air_meter", "m2": "air_meter", "m3": "air_meter",
}
GAUGES: Mapping[str, Mapping[str, tuple[float, ...]]] = {
    "compressor": {"power_kw": (62.5, 71.0, 20.0, 0.0), "flow_m3_min": (11.2, 10.0, 0.0, -0.5),
                   "discharge_pressure_bar": (7.1, 6.7, 5.0, -0.5)},
    "dryer": {"power_kw": (5.0, 2.5), "dew_point_c": (2.0, 4.5, -41.0)},
    "auxiliary": {"power_kw": (3.0, 0.0)},
    "air_main": {"flow_m3_min": (20.0, 12.5, 0.0), "pressure_bar": (7.2, 6.8, 6.3, 6.1, 7.0),
                 "dew_point_c": (2.0, 3.0, 6.5)},
    "air_meter": {"flow_m3_min": (8.0, 3.0, 0.0), "pressure_bar": (6.9, 6.4, 6.0, 7.0)},
}
REGISTER = {"compressor": ("energy_kwh", "volume_m3"), "dryer": ("energy_kwh",), "auxiliary": ("energy_kwh",),
            "air_main": ("volume_m3",), "air_meter": ("volume_m3",)}
STATES = ("loaded", "loaded", "loaded", "unloaded", "loading", "unloading", "stopped", "starting", "fault", "running")
LATE_MS = 900_000
"""Every reading but those of a backlog comes less than this behind its device's newest."""


def sent(rng: Random, edge_ms: int) -> tuple[list[Reading], dict[str, Settings]]:
    """Return what the devices sent from some 40 minutes before an edge to some 40 after, and their settings."""
    devices = {
        d: Settings(rng.choice([60_000, 90_500, 300_000]), rng.choice(["trapezoid", "trapezoid", "hold"]),
                    *rng.choice([(75.0, 11.5), (75.0, None), (75.0, 11.5)]))
        for d in KINDS
    }
    wanting = {"c9": 0.7, "d1": 0.3, "x1": 0.5, "main": 0.1, "main2": 0.1, "c2": 0.05, "m1": 0.05, "m2": 0.05}
    found: list[Reading] = []
    for device in KINDS:
        if rng.random() >= wanting.get(device, 0.0):
            found += _device(rng, device, edge_ms, devices[device].offline_after_ms)
    return found, devices


def _device(rng: Random, device: str, edge_ms: int, offline_after_ms: int) -> list[Reading]:
    kind = KINDS[device]
    whole = rng.random() < 0.6
    gauges = {g: v if rng.random() < 0.8 else (rng.choice(v),)
              for g, v in GAUGES[kind].items() if whole or rng.random() < 0.7}
    meters = {r: rng.choice([0.0, 1.5, 10_234.51, 8_999_999_000.0])
              for r in REGISTER[kind] if rng.random() < 0.5}
    falls = rng.choice([0.0, 0.0, 0.05, 0.3])
    sends = rng.choice([1.0, 1.0, 0.8, 0.4])
    steps = rng.choice([[20_000, 60_000], [45_000, 61_000, 7_000], [55_000, 1_000]])
    odd = [0, 1, offline_after_ms, offline_after_ms + 1, 2 * offline_after_ms, 1_000_000]
    strange = rng.choice([0.0, 0.05, 0.15])
    with_seq, with_state = rng.random() < 0.5, kind == "compressor" and rng.random() < 0.8
    time_ms, seq = edge_ms - rng.randint(1_800_000, 2_700_000), 0
    end_ms, jump_ms = edge_ms + rng.randint(1_500_000, 2_700_000), 0
    out: list[Reading] = []
    spoke = True
    while time_ms < end_ms and len(out) < 90:
        gap = rng.choice(odd) if rng.random() < strange else rng.choice(steps)
        presence = rng.random() < 0.03
        # Presence in the same millisecond as a reading would be a guess which came last.
        time_ms += max(gap, 1) if presence or not spoke else gap
        spoke = not presence
        if rng.random() < strange / 4:
            jump_ms = rng.choice([0, 240_000, -240_000])
        seq += 1
        if presence:
            online, retained = rng.choice([(0, False), (1, False), (0, True), (1, True)])
            out.append(reading(kind, device, time_ms, online=online, retained=retained))
            continue
        values = {g: rng.choice(v) for g, v in gauges.items() if rng.random() < sends}
        for register, level in meters.items():
            if rng.random() < sends:
                meters[register] = values[register] = _next(rng, level, falls)
        codes = {"state": rng.choice(STATES)} if with_state and rng.random() < 0.6 * sends else {}
        if rng.random() < 0.04:
            values, codes = {}, {}
        out.append(reading(kind, device, time_ms + jump_ms, seq=seq if with_seq else -1, values=values, codes=codes))
    return _apart(out)


def _next(rng: Random, level: float, falls: float) -> float:
    """Return where a register stands next: more, or after a fall at 0, little lower, or above where it was."""
    if rng.random() < falls:
        return rng.choice([0.0, round(level * 0.999999, 6), round(level * 0.5, 6), min(level + 900.0, 9e9)])
    return min(round(level + rng.choice([0.0, 0.000001, 0.3, 4.7, 12.0]), 6), 9e9)


def _apart(readings: list[Reading]) -> list[Reading]:
    """Return the readings in order of time; presence that a jumped clock brought to the time of another is dropped."""
    times = [r["time_ms"] for r in readings]
    return sorted((r for r in readings if r["online"] is None or times.count(r["time_ms"]) == 1),
                  key=lambda r: (r["time_ms"], r["seq"]))


def delivered(rng: Random, readings: list[Reading], devices: Mapping[str, Settings]) -> list[list[Reading]]:
    """Return batches: one device's backlog last, all else less late than `LATE_MS`, some twice, some in two parts."""
    backlog = _backlog(rng, readings, devices)
    prompt = [r for r in readings if not any(r is b for b in backlog)]
    # A gap is one by the order of arrival, so who has a backlog is prompt in all else.
    punctual = {r["device"] for r in backlog}
    late = [(r["time_ms"] + (0 if r["device"] in punctual else rng.choice([0, 0, rng.randrange(LATE_MS)])), i)
            for i, r in enumerate(prompt)]
    out: list[Reading] = []
    for _, i in sorted(late):
        r = prompt[i]
        half = dict(list(r["values"].items())[::2])
        if half and rng.random() < 0.1:
            out.append({**r, "values": half, "codes": {}})
        if half and rng.random() < 0.05:
            out.append({**r, "values": {c: v + 1.0 for c, v in half.items()}, "codes": {}})
        out += [r] * rng.choice([1, 1, 1, 1, 2, 3])
    cuts = sorted({0, len(out), *(rng.randrange(len(out)) for _ in range(rng.choice([0, 2, 6])))})
    batches = [out[a:b] for a, b in pairwise(cuts)]
    return [*batches, backlog] if backlog else batches


def _backlog(rng: Random, readings: list[Reading], devices: Mapping[str, Settings]) -> list[Reading]:
    """Return what one device keeps through a silence longer than `offline_after_s` and sends after all else."""
    device = rng.choice(sorted({r["device"] for r in readings}))
    own = [r for r in readings if r["device"] == device]
    first = rng.randrange(len(own))
    last = min(len(own) - 2, first + rng.randrange(4, 20))
    if first < 1 or last <= first or any(r["online"] is not None for r in own[first - 1:last + 2]):
        return []
    before, after = own[first - 1]["time_ms"], own[last + 1]["time_ms"]
    inside = own[first:last + 1]
    if after - before <= devices[device].offline_after_ms or {before, after} & {r["time_ms"] for r in inside}:
        return []
    return inside
