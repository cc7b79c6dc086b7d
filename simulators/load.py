"""Load: any number of charging ports that report in turn, every message another valid reading.

No physics: a port charges for three quarters of each cycle, its register is the integral of its power, and its clock is
the stream's. What makes it fast is that a message is one formatting of bytes.
"""

from collections.abc import Iterator

from simulators.message import Message, telemetry_topic

DEVICES_MAX = 1_000_000
_PORTS_PER_STATION = 1_000
_STEPS = 240
"""Messages of one cycle of charging and rest."""
_STEPS_CHARGING = 180
_PAYLOAD = b'{"ts":%d,"seq":%d,"status":"%b","power_kw":%.3f,"energy_kwh":%.4f}'


def load_messages(devices: int, rate: float, start_ms: int, count: int | None = None) -> Iterator[Message]:
    """Yield messages of all devices in turn, evenly spaced in time.

    Parameters
    ----------
    devices
        Number of ports, 1 to `DEVICES_MAX`; a thousand make a station, `load0000` and so on.
    rate
        Messages per second of event time, of all devices together.
    start_ms
        Event time of the first message.
    count
        Number of messages; None: without end.
    """
    topics = [
        telemetry_topic(f"load{k // _PORTS_PER_STATION:04d}", "port", f"p{k % _PORTS_PER_STATION:03d}")
        for k in range(devices)
    ]
    gap_ms, gap_h = 1000.0 / rate, devices / rate / 3600.0
    energy_kwh = [k * 1e-4 for k in range(devices)]
    done, round_ = 0, 0
    while True:
        for k, topic in enumerate(topics):
            if done == count:
                return
            step = (round_ + k * 7) % _STEPS
            time_ms = start_ms + int(done * gap_ms)
            if step < _STEPS_CHARGING:
                power_kw, status = 3.0 + step * 0.02 + k % 97 * 0.001, b"Charging"
                energy_kwh[k] += power_kw * gap_h
            else:
                power_kw, status = 0.0, b"Available"
            yield Message(time_ms, topic, _PAYLOAD % (time_ms, round_, status, power_kw, energy_kwh[k]))
            done += 1
        round_ += 1
