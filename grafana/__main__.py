"""Write the dashboards and the alert pack: `python -m grafana` after a change of `boards/` or `alerting.py`."""

import json
from pathlib import Path

from grafana.alerting import alert_pack
from grafana.boards import LANGUAGES, boards
from grafana.panels import Json

HERE = Path(__file__).parent
FOLDER = HERE / "dashboards"
PACK = HERE / "provisioning" / "alerting" / "voltair.yaml"


def files() -> dict[Path, str]:
    """Return path -> the text of the file; the pack is JSON, which is YAML too."""
    made = {
        FOLDER / language / name: _text(board) for language in LANGUAGES for name, board in boards(language).items()
    }
    (panel,) = [p["id"] for p in boards("en")["health.json"]["panels"] if p["title"] == "Coverage by station"]
    note = "# Optional: rules about stale data only; made by `python -m grafana`.\n"
    return made | {PACK: note + _text(alert_pack(panel))}


def _text(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    for path, text in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
