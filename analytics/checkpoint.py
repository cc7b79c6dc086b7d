"""What of an engine goes down with a checkpoint: blocks, runs, devices and rows that changed since the last one."""

import msgspec
import numpy as np

from analytics.books import to_buckets
from analytics.engine import Engine, KindState
from analytics.shelf import LONG_AGO
from store.buckets import encode_buckets
from store.state import Checkpoint, RunBody
from telemetry.channels import MACHINE_STATE, PORT, PORT_STATUS
from telemetry.times import HOUR_MS, MINUTE_MS


def checkpoint_of(engine: Engine) -> Checkpoint:
    """Return everything that changed in an engine since the last checkpoint, to be committed at once."""
    out = Checkpoint(meta={**engine.counters, "cursor": engine.cursor, "deaf_until": engine.deaf_until_ms})
    if engine.registry_json is not None:
        out.meta["registry"] = engine.registry_json
    if engine.rules_json is not None:
        out.meta["rules"] = engine.rules_json
    out.stations = [
        (name, engine.station_kind[i], int(engine.now_ms[i]), _told_watermark_ms(engine, i))
        for i, name in enumerate(engine.stations) if engine.now_ms[i] > LONG_AGO
    ]
    out.deaf = list(engine.deaf)
    out.outbox, engine.outbox = engine.outbox, []
    out.advice = [(station, *record) for station, record in sorted(engine.advice.items())]
    engine.advice.clear()
    for name, one in engine.kinds.items():
        _checkpoint_kind(engine, name, one, out)
    for station, kind in sorted(engine.changed_devices):
        out.devices.append((station, kind, _encode_devices(engine, station, kind)))
    engine.changed_devices.clear()
    engine.deaf = engine.deaf[-1:]
    return out


def _told_watermark_ms(engine: Engine, station: int) -> int:
    """Return the watermark that others see: it promises that the rows up to it are in the outbox."""
    watermark, judged = int(engine.watermark_ms[station]), engine.judged_ms(station)
    return watermark if judged >= watermark // MINUTE_MS * MINUTE_MS else judged


def _encode_devices(engine: Engine, station: str, kind: str) -> bytes:
    one = engine.kinds[kind]
    mine = np.flatnonzero(engine.station_of == engine.stations.index(station))
    mine = mine[one.shelf.newest_ms[mine] > LONG_AGO]
    names = engine.names_of(mine)
    order = sorted(range(len(names)), key=names.__getitem__)
    return one.latest.encode(mine[order], [names[i] for i in order], one.shelf, engine.texts.all)


def _checkpoint_kind(engine: Engine, name: str, one: KindState, out: Checkpoint) -> None:
    one.minutes.settle()
    for station, hour_ms in sorted(one.minutes.dirty):
        table = to_buckets(one.minutes.blocks[station, hour_ms], engine.names_of)
        out.blocks.append((station, name, hour_ms, encode_buckets(table)))
    one.minutes.dirty.clear()
    newest = {s: int(engine.now_ms[i]) - 2 * HOUR_MS for i, s in enumerate(engine.stations)}
    one.minutes.forget(lambda key: key[1] >= newest[key[0]])
    states = PORT_STATUS if one.shelf.kind is PORT else MACHINE_STATE
    one.runs.settle()
    for key in sorted(one.runs.dirty):
        run, place = one.runs.runs[key], engine.keys[key[0]]
        body = RunBody(
            states[run.state] if run.state >= 0 else "", run.charging, engine.texts.all[run.session], run.energy_n,
            None if np.isnan(run.peak_kw) else run.peak_kw, engine.texts.all[max(run.stop_reason, 0)],
            engine.texts.all[max(run.error_code, 0)], run.quiet_ms,
        )
        out.runs.append((place.station, name, place.device, key[1], key[2], key[1] + run.length_ms,
                         msgspec.msgpack.encode(body)))
    for device, start_ms, seq in sorted(one.runs.gone):
        place = engine.keys[device]
        out.gone_runs.append((place.station, name, place.device, start_ms, seq))
    one.runs.forget(one.latest)
