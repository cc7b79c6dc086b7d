"""From a journalled frame to a table: connectors become lanes, texts become numbers, presence becomes life or death."""

import numpy as np

from analytics.devices import Lanes, Texts
from analytics.table import NO_RUN, Table
from telemetry.frame import FLAG_RETAINED, Frame


def to_table(frame: Frame, lanes: Lanes, texts: Texts) -> Table:
    """Return the readings of a frame in order of arrival.

    A retained `online` 1 is left out: it is no sign of life and says nothing that silence does not.
    """
    kind = frame.kind
    online = frame.codes[:, kind.code_index["online"]]
    frame = frame.take((frame.flags & FLAG_RETAINED == 0) | (online == 0))
    n = len(frame)
    codes = frame.codes.astype(np.int64)
    if frame.texts:
        numbers = np.array([*(texts.number(t) for t in frame.texts), -1], np.int64)
        for i, channel in enumerate(kind.codes):
            if not channel.states:
                codes[:, i] = numbers[frame.codes[:, i]]
    connector = np.zeros(n, np.int64)
    if "connector" in kind.code_index:
        connector = np.maximum(codes[:, kind.code_index["connector"]], 0)
    device = frame.device.astype(np.int64)
    none = np.full(n, NO_RUN)
    return Table(
        device, frame.time_ms.copy(), frame.seq.copy(), lanes.of(device, connector),
        np.zeros(n, np.bool_), codes[:, kind.code_index["online"]] == 0,
        frame.values.copy(), codes,
        np.full(n, -1, np.int8), np.zeros(n, np.bool_), np.zeros(n, np.int64), np.zeros(n, np.int64), none, none,
    )
