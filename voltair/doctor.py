"""`voltair doctor`: looks at what Voltair needs, and says for each thing whether it is there and what to do."""

from collections.abc import Iterator
from pathlib import Path

from store.roles import ROLES, read_status, wall_ms
from telemetry.config import Config, load_config
from telemetry.errors import ConfigError
from telemetry.registry import load_registry
from voltair.doctor_broker import examine_broker
from voltair.doctor_local import examine_clocks, examine_data
from voltair.doctor_store import examine_store
from voltair.findings import Finding

_FRESH_MS = 3_000


def examine(path: Path | None) -> Iterator[Finding]:
    """Yield findings; a wrong configuration ends them, since the rest would look at the wrong places."""
    try:
        config = load_config(path)
        stations = load_registry(config.stations_file).stations
    except ConfigError as error:
        yield Finding("configuration", ok=False, text=str(error))
        return
    yield Finding("configuration", ok=True, text=f"{len(stations)} stations in {config.stations_file}")
    yield from examine_data(config)
    yield from examine_broker(config)
    yield from examine_clocks(config)
    yield from examine_store(config)
    for role in ROLES:
        yield _role(config, role)


def _role(config: Config, role: str) -> Finding:
    status = read_status(config.data, role)
    if status is None or wall_ms() - status.updated_ms > _FRESH_MS:
        return Finding(role, ok=False, text="does not run; start everything with 'voltair run'")
    if not status.ready:
        return Finding(role, ok=False, text="; ".join(status.problems) or "not ready yet")
    return Finding(role, ok=True, text=f"process {status.pid}; " + ("; ".join(status.problems) or "ready"))
