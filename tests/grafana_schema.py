"""Make `tests/grafana/schema.json` from Grafana's own types: `python tests/grafana_schema.py`; needs npm, network.

The result is derived from `@grafana/schema` (Apache-2.0, Grafana Labs): strict JSON Schemas of a classic dashboard and
of the options of the panels in use. It is committed, so that tests need neither node nor the network.
"""

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

VERSION = "11.6.9"
TOOLS = (f"@grafana/schema@{VERSION}", "ts-json-schema-generator@2.4.0")
FILE = Path(__file__).parent / "grafana" / "schema.json"
_RAW = "node_modules/@grafana/schema/dist/esm/raw"
_PANELS = {
    "bargauge": "BarGauge", "stat": "Stat", "state-timeline": "StateTimeline", "table": "Table",
    "timeseries": "TimeSeries",
}  # fmt: skip
"""Panel -> how its types are called."""
_OWN_FIELDS = ("state-timeline", "table", "timeseries")
"""Panels with field settings of their own."""
_SETTINGS = {"module": "esnext", "moduleResolution": "node", "strict": True, "skipLibCheck": True, "target": "es2022"}


def make() -> None:
    """Fetch types and generator, and write the schemas."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--prefix", name, *TOOLS], check=True)

        def schema(path: str, kind: str) -> Any:
            source = f"{_RAW}/{path}"
            (folder / "tsconfig.json").write_text(json.dumps({"compilerOptions": _SETTINGS, "files": [source]}))
            done = subprocess.run(
                ["node_modules/.bin/ts-json-schema-generator", "--path", source, "--tsconfig", "tsconfig.json",
                 "--type", kind, "--no-type-check"],
                cwd=folder, check=True, stdout=subprocess.PIPE,
            )  # fmt: skip
            return json.loads(done.stdout)

        def panel(name: str, kind: str) -> Any:
            folder_name = name.replace("-", "")
            return schema(f"composable/{folder_name}/panelcfg/x/{_PANELS[name]}PanelCfg_types.gen.d.ts", kind)

        found = {
            "source": f"@grafana/schema {VERSION}, Apache-2.0, by tests/grafana_schema.py",
            "dashboard": schema("dashboard/x/dashboard_types.gen.d.ts", "Dashboard"),
            "options": {name: panel(name, "Options") for name in _PANELS},
            "custom": {name: panel(name, "FieldConfig") for name in _OWN_FIELDS},
        }
    FILE.write_text(json.dumps(_bare(found), separators=(",", ":"), sort_keys=True) + "\n", "utf-8")


def _bare(value: Any) -> Any:
    """Return a schema without its comments, which are half of it."""
    if isinstance(value, dict):
        return {k: _bare(v) for k, v in value.items() if k != "description" or not isinstance(v, str)}
    return [_bare(v) for v in value] if isinstance(value, list) else value


if __name__ == "__main__":
    make()
