"""Write the dashboards: `python -m grafana` after a change of `boards/`."""

import json
from pathlib import Path

from grafana.boards import LANGUAGES, boards

FOLDER = Path(__file__).parent / "dashboards"


def files() -> dict[Path, str]:
    """Return path below `dashboards/` -> the text of the file."""
    return {
        Path(language) / name: json.dumps(board, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
        for language in LANGUAGES
        for name, board in boards(language).items()
    }


def write(folder: Path) -> None:
    """Write all dashboards below a folder."""
    for path, text in files().items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, "utf-8")


if __name__ == "__main__":
    write(FOLDER)
