"""The dashboards, each in English and Chinese."""

from collections.abc import Callable

from grafana.boards.air import air
from grafana.boards.charging import charging
from grafana.boards.common import TITLES, Say
from grafana.boards.customers import customers
from grafana.boards.health import health
from grafana.boards.home import home
from grafana.boards.leaks import leaks
from grafana.boards.month import month
from grafana.boards.port import port
from grafana.panels import Json

LANGUAGES = ("en", "zh")
_BOARDS: dict[str, Callable[[str, Say], Json]] = {
    "home": home,
    "charging": charging,
    "port": port,
    "air": air,
    "customers": customers,
    "leaks": leaks,
    "health": health,
    "month": month,
}


def boards(language: str) -> dict[str, Json]:
    """Return file name -> dashboard of one language (`en` or `zh`)."""

    def say(en: str, zh: str) -> str:
        return zh if language == "zh" else en

    return {f"{name}.json": _BOARDS[name](language, say) for name in TITLES}
