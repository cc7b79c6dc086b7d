"""Raw readings as points of the series store: a measurement per kind, a field per channel that was sent."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from store.journal import DeviceKey
from telemetry.channels import Role
from telemetry.frame import NO_CODE, NO_SEQ, Frame
from telemetry.points import NO_INT, Column, Points

_NEITHER = ("online", "connector")
"""Presence is not stored, and the connector is a tag."""


def frame_points(frame: Frame, devices: Sequence[DeviceKey]) -> Points:
    """Return the readings of a frame as points of the measurement that is named like their kind.

    Tags are station, device and, where a reading of the frame has it, connector. Gauges and registers are
    floats; states and texts their words; `seq` and times integers. A reading that holds nothing to store, such
    as a mere sign of life or a presence, yields no point.

    Parameters
    ----------
    frame
        n readings.
    devices
        The journal's device table (`JournalReader.devices`).
    """
    kind = frame.kind
    stored = [i for i, c in enumerate(kind.codes) if c.name not in _NEITHER]
    has_channel = np.isfinite(frame.values).any(axis=1) | (frame.codes[:, stored] != NO_CODE).any(axis=1)
    presence = frame.codes[:, kind.code_index["online"]] != NO_CODE
    keep = has_channel | ((frame.seq != NO_SEQ) & ~presence)
    if not keep.all():
        frame = frame.take(keep)

    keys = [devices[i] for i in frame.device.tolist()]
    tags: dict[str, tuple[str | None, ...]] = {
        "station": tuple([k.station for k in keys]),
        "device": tuple([k.device for k in keys]),
    }
    words = np.array([*frame.texts, None], object)
    fields: dict[str, Column] = {}
    for column, channel in enumerate(kind.codes):
        codes = frame.codes[:, column]
        if channel.name == "online" or not (codes != NO_CODE).any():
            continue
        # Code -1, a missing value, finds the None at the end.
        table = np.array([*channel.states, None], object) if channel.states else words
        texts = tuple(table[codes].tolist())
        if channel.name == "connector":
            tags["connector"] = texts
        else:
            fields[channel.name] = texts
    for column, channel in enumerate(kind.values):
        values = frame.values[:, column]
        if np.isfinite(values).any():
            fields[channel.name] = _integers(values) if channel.role is Role.TIME else values
    if (frame.seq != NO_SEQ).any():
        fields["seq"] = np.where(frame.seq == NO_SEQ, NO_INT, frame.seq)
    return Points(kind.name, tags, frame.time_ms, frame.seq, fields)


def _integers(values: NDArray[np.float64]) -> NDArray[np.int64]:
    finite = np.isfinite(values)
    return np.where(finite, np.where(finite, values, 0.0).astype(np.int64), NO_INT)
