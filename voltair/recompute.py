"""`voltair recompute`: by the analytics role where it runs, else here."""

import time

from analytics.role import Analytics
from store import orders
from store.roles import RoleLock
from telemetry.config import Config
from telemetry.errors import JournalError, RoleLocked

POLL_S = 0.2


def recompute(config: Config) -> str:
    """Make minutes, runs and sessions anew from the journal; return what was done, for people.

    Raises
    ------
    JournalError
        If the journal does not reach back to its beginning, or there is none.
    """
    try:
        with RoleLock(config.data, "analytics"):
            analytics = Analytics(config)
            analytics.check_journal()
            while analytics.step():
                pass
            analytics.recompute()
            return "recomputed"
    except RoleLocked:
        orders.ask(config.data)
    while True:
        order = orders.read_order(config.data)
        if order is not None and order.done:
            break
        time.sleep(POLL_S)
    if order.problem:
        raise JournalError(order.problem)
    return "recomputed by the running analytics role"
