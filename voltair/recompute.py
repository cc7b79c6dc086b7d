"""`voltair recompute`: by the analytics role where it runs, else here."""

import math

from analytics.recompute import Done, Order, orders
from analytics.role import Analytics
from store.roles import RoleLock
from telemetry.config import Config
from telemetry.errors import JournalError


def recompute(config: Config) -> None:
    """Make minutes, runs and sessions anew from the journal.

    Raises
    ------
    JournalError
        If the journal does not reach back to its beginning, or there is none.
    """

    def here() -> Done:
        with RoleLock(config.data, "analytics"):
            analytics = Analytics(config)
            analytics.check_journal()
            while analytics.step():
                pass
            analytics.recompute()
        return Done()

    done = orders(config.data).ask(Order(), here, math.inf)
    if done is not None and done.problem:
        raise JournalError(done.problem)
