"""`voltair init`: first files to edit."""

from pathlib import Path

_VOLTAIR = """\
# Voltair's settings; 'voltair config schema' prints every key. Environment: VOLTAIR__SECTION__KEY.
data_dir = "voltair-data"
stations = "stations.toml"

[mqtt]
url = "mqtt://127.0.0.1:1883"         # mqtts:// for TLS
protocol = 5                          # or 4 (MQTT 3.1.1)

[store]
kind = "sqlite"                       # or "influx", see [store.influx]

[api]
listen = "127.0.0.1:8080"             # other addresses need tokens: VOLTAIR_API_TOKENS

# [[webhooks]]
# url = "https://example.org/hook"
# secret = "whsec_..."
"""

_STATIONS = """\
# Your stations; this file is read again whenever it changes. Only 'kind' is required of a station.
# [stations.harbour]
# kind = "charging"
# name = "Harbour stacked car park"
# timezone = "Asia/Shanghai"
# transformer_kva = 1250
# [[stations.harbour.ports]]
# id = "p001"
# rated_kw = 7

# [stations.isle]
# kind = "compressed_air"
# timezone = "Asia/Shanghai"
# contract_pressure_bar = [6.3, 7.0]
# [[stations.isle.compressors]]
# id = "c1"
# rated_kw = 160
# rated_flow_m3_min = 28
"""


def write_starter(folder: Path) -> list[Path]:
    """Write `voltair.toml` and `stations.toml` where they are missing, and return what was written."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in (("voltair.toml", _VOLTAIR), ("stations.toml", _STATIONS)):
        path = folder / name
        if not path.exists():
            path.write_text(text, "utf-8")
            written.append(path)
    return written
