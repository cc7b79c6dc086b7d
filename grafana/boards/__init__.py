"""The dashboards: Home, charging station, air station, each in English and Chinese."""

from grafana.boards.air import air
from grafana.boards.charging import charging
from grafana.boards.home import home
from grafana.panels import Json

LANGUAGES = ("en", "zh")


def boards(language: str) -> dict[str, Json]:
    """Return file name -> dashboard of one language (`en` or `zh`)."""

    def say(en: str, zh: str) -> str:
        return zh if language == "zh" else en

    return {
        "home.json": home(language, say),
        "charging.json": charging(language, say),
        "air.json": air(language, say),
    }
