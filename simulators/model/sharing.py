"""Power that is not enough for all: shared cabinets, limits of orderly charging."""

from collections.abc import Sequence


def share_kw(wanted_kw: Sequence[float], limit_kw: float) -> list[float]:
    """Return what each gets: everybody the same, and who wants less leaves the rest to the others.

    Parameters
    ----------
    wanted_kw
        What each would take; 0 or more.
    limit_kw
        What there is.
    """
    given = [0.0] * len(wanted_kw)
    left, count = limit_kw, len(wanted_kw)
    for k in sorted(range(len(wanted_kw)), key=wanted_kw.__getitem__):
        given[k] = min(wanted_kw[k], max(0.0, left) / count)
        left -= given[k]
        count -= 1
    return given
