"""Payloads of foreign devices, nearly as their decoders want them."""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import cbor2
import msgspec

from benchmarks.fuzz_made import JSON_BITS, NOW_MS, NUMBERS, WORDS, Make, mutated, payload, value
from telemetry.decoders import DecoderConfig
from wire.presets import expand
from wire.sparkplug_pb import PAYLOAD

_SENML_FIELDS = {"power_kw": {"path": "p", "unit": "W"}, "state": {"path": "[m, x]", "map": {"[true,1]": "loaded"}}}
_CBOR_BITS = [
    b"\xd8\x1c", b"\xd8\x1d\x00", b"\xc2\x50" + b"\xff" * 16, b"\xc4\x82\x1b" + b"\xff" * 8 + b"\x01", b"\x9f",
    b"\xbf", b"\x9b" + b"\xff" * 8, b"\x81" * 2_000,
    b"\xd8\x23\x61(", b"\xf9\x7e\x00", b"\xc0\x61x", b"\x5f", b"\xd9\x01\x02\x80",
]  # fmt: skip
FOREIGN: dict[str, list[dict[str, Any]]] = {
    "fields": [
        *({"preset": name, "station": "isle"} for name in ("evcc", "everest")),
        *({"preset": name, "station": "isle", "kind": "port"} for name in ("shelly", "tasmota")),
        *(
            {
                "topic": f"{form}/{{station}}/{{device}}", "kind": "compressor",
                "fields": {
                    "power_kw": {"path": "p.total", "unit": "W"}, "energy_kwh": {"path": "sum(e[*].v)", "scale": 0.1},
                    "state": {"path": "m", "map": {"RUN": "loaded", "3": "unloaded", "true": "stopped"}},
                    "online": "n",
                },
                "readings": "items || @", "time": {"path": "t", "format": form},
            }
            for form in ("s", "ms", "us", "ns", "iso", "relative")
        ),
        {"topic": "w/{station}/{device}", "kind": "port", "format": "text",
         "fields": {"online": {"map": {"Online": "1"}}}},
    ],
    "senml": [
        {"topic": f"{form}/{{station}}", "kind": "compressor", "device": "{base}", "format": form,
         "fields": _SENML_FIELDS}
        for form in ("senml", "senml-cbor")
    ],
    "sparkplug": [{"format": "sparkplug", "station": "isle", "kind": "compressor", "fields": _SENML_FIELDS}],
    "ocpp": [
        {"topic": "a/{charge_point}", "format": "ocpp16", "station": "isle"},
        {"topic": "b/{charge_point}", "format": "ocpp16", "station": "isle", "readings": "frame",
         "time": {"path": "t", "format": "ms"}, "ports": {"1": [1, 2], "x": [3]}},
        {"topic": "c/{charge_point}/{type}/{action}/{id}", "format": "ocpp16", "station": "isle"},
        {"topic": "d/{charge_point}", "format": "ocpp201", "station": "isle"},
    ],
}  # fmt: skip
"""Decoders of each target of its own."""
ACTIONS = [
    "StatusNotification", "MeterValues", "StartTransaction", "StopTransaction", "TransactionEvent", "Heartbeat",
    "BootNotification", "RemoteStartTransaction", "",
]  # fmt: skip
_OCPP: dict[str, list[Any]] = {
    "connectorId": [0, 1, 2, 3], "evseId": [0, 1, 2], "evse": [{"id": 1}, {"id": 2, "connectorId": 1}, {"id": 0}],
    "status": ["Available", "Charging", "Faulted", "Unavailable"], "errorCode": ["NoError", "OtherError"],
    "vendorErrorCode": ["E7", ""], "connectorStatus": ["Available", "Occupied", "Faulted"],
    "timestamp": ["2026-11-22T03:04:05Z", "2026-11-22T03:04:06.5", "2026-11-22T03:05:00+08:00"],
    "transactionId": [0, 1, 7, "a", "b"],
    "idTag": ["x"], "meterStart": [0, 12_000], "meterStop": [12_345, "12345"], "reason": ["Local", "EVDisconnected"],
    "eventType": ["Started", "Updated", "Ended"], "seqNo": [0, 1],
}
_SAMPLED: dict[str, list[Any]] = {
    "value": ["12.5", 12.5, "", "x"], "unit": ["Wh", "kWh", "W", "kW", "A", "V", "Celsius", "Percent", "furlong"],
    "measurand": [
        "Energy.Active.Import.Register", "Power.Active.Import", "Power.Active.Export", "Current.Import", "Voltage",
        "SoC", "Temperature", "Frequency",
    ],
    "phase": ["L1", "L2", "L3", "N", "L1-N", "L1-L2"], "location": ["Outlet", "Inlet", "EV"],
    "context": ["Transaction.Begin", "Sample.Periodic", "Transaction.End"], "format": ["Raw", "SignedData"],
    "unitOfMeasure": [{"unit": "kWh", "multiplier": 3}, {"multiplier": 99}, {}],
}  # fmt: skip


@cache
def decoder_of(family: str, at: int) -> tuple[DecoderConfig, list[str]]:
    """Return a decoder of `FOREIGN`, and the words that its payloads are made of."""
    config = msgspec.convert(FOREIGN[family][at], DecoderConfig)
    return config, sorted(set(re.findall(r"[A-Za-z_]\w*", repr(expand(config)))))


def _named(make: Make, words: Sequence[str], depth: int = 0) -> Any:
    """Return a value whose objects have keys that decoders look for."""
    dice = make.random()
    if depth > 3 or dice < 0.3:
        return make.choice((make.choice(NUMBERS), make.choice(WORDS), make.choice(words), make.uniform(-9, 9)))
    if dice < 0.4:
        return [_named(make, words, depth + 1) for _ in range(make.randrange(4))]
    return {make.choice(words): _named(make, words, depth + 1) for _ in range(make.randrange(8))}


def _pack(make: Make) -> list[Any]:
    """Return SenML records, with labels of both forms."""
    labels: list[Any] = ["bn", "bt", "bu", "bv", "bver", "n", "u", "v", "vs", "vb", "s", "t", "x_", *range(-6, 9)]
    scalars = [v for v in (*NUMBERS, *WORDS, "p", "W", 10) if type(v) is not int or abs(v) < 2**63]
    labels += [str(label) for label in labels]
    return [{make.choice(labels): make.choice(scalars) for _ in range(4)} for _ in range(make.randrange(5))]


def _sparkplug(make: Make) -> bytes:
    """Return a Sparkplug payload: whatever its topic says it is."""
    whole = PAYLOAD(seq=make.randrange(300))
    if make.random() < 0.9:
        whole.timestamp = make.choice((NOW_MS, 0, 2**64 - 1))
    for _ in range(make.randrange(5)):
        metric = whole.metrics.add()
        if make.random() < 0.6:
            metric.name = make.choice((b"p", b"m", b"x", b"bdSeq", b""))
        if make.random() < 0.6:
            metric.alias = make.choice((0, 1, 2, 2**64 - 1))
        metric.datatype = make.randrange(40)
        metric.is_historical = make.random() < 0.2
        match make.randrange(5):
            case 0:
                metric.int_value = make.choice((0, 1, 2**32 - 1))
            case 1:
                metric.long_value = make.choice((0, 1, 2**64 - 1))
            case 2:
                metric.double_value = make.choice((0.0, 1e308, float("nan"), float("inf")))
            case 3:
                metric.boolean_value = True
            case _:
                metric.string_value = make.choice((b"", b"x", b"x" * 300))
    return bytes(whole.SerializeToString())


def _filled(make: Make, words: Mapping[str, list[Any]]) -> dict[str, Any]:
    """Return an object with some of these keys, nearly always with values that belong there."""
    return {
        name: make.choice(some) if make.random() < 0.95 else value(make, 2)
        for name, some in words.items()
        if make.random() < 0.75
    }


def _ocpp_payload(make: Make) -> dict[str, Any]:
    found = _filled(make, _OCPP)
    for name in ("meterValue", "transactionData"):
        if make.random() < 0.5:
            found[name] = [
                {"timestamp": make.choice(_OCPP["timestamp"]),
                 "sampledValue": [_filled(make, _SAMPLED) for _ in range(make.randrange(4))]}
                for _ in range(make.randrange(3))
            ]  # fmt: skip
    if make.random() < 0.7:
        state = make.choice(("Charging", "SuspendedEV", "SuspendedEVSE", "EVConnected", "Idle", "Busy"))
        found["transactionInfo"] = {"transactionId": make.choice(("a", "b", 7)), "chargingState": state}
    return found


def _ocpp(make: Make, config: DecoderConfig) -> Any:
    """Return an OCPP frame as its decoder wants it, or nearly."""
    payload = _ocpp_payload(make)
    if "{action}" in config.topic:
        return payload
    call = [2, make.choice(("1", "2")), make.choice(ACTIONS), payload]
    frame = make.choice((call, call, call, [3, make.choice(("1", "2")), payload], [4, "1", "x", "", {}]))
    return {"frame": frame, "t": make.choice((NOW_MS, NOW_MS, "x"))} if config.readings else frame


def topic(make: Make, config: DecoderConfig, filter_: str) -> bytes:
    """Return a topic that a filter brings, nearly always one that the decoder can use."""
    levels = ["isle", "c1", "c2"] if make.random() < 0.9 else ["x y", "switch:0", "é"]
    found = re.sub(r"\+", lambda _: make.choice(levels), filter_)
    if "{action}" in config.topic and make.random() < 0.9:
        way = make.choice(("request", "request", "response", "error"))
        found = f"c/c1/{way}/{make.choice(ACTIONS)}/{make.choice('12')}"
    return found.encode()


def foreign_payload(make: Make, config: DecoderConfig, words: Sequence[str]) -> tuple[bytes, str]:
    """Return a payload that resembles what a decoder reads, and its content type."""
    if make.random() < 0.1:
        return payload(make)
    bits = JSON_BITS
    if config.format == "senml-cbor":
        data, bits = cbor2.dumps(_pack(make)), _CBOR_BITS
    elif config.format == "sparkplug":
        data, bits = _sparkplug(make), [b"\x0a\xff", b"\x12\x02\x08\x01"]
    elif config.format == "senml":
        data = msgspec.json.encode(_pack(make))
    elif config.format.startswith("ocpp"):
        data = msgspec.json.encode(_ocpp(make, config))
    else:
        data = msgspec.json.encode(_named(make, words))
    return mutated(make, data, bits) if make.random() < 0.3 else data, ""
