"""Scenarios through the whole river, and what the scorer says: found, delay, false alarms a day, errors of key figures.

Each scenario has a Voltair and a broker of its own, and runs in event time at full speed, as with
`voltair simulate NAME --speed max --truth FILE` and `voltair score FILE`.
"""

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import msgspec

from benchmarks.ingest import mosquitto
from simulators.commands import simulate
from simulators.scenario import list_scenarios, load_scenario
from simulators.score.ask import Api
from simulators.score.match import Score, score
from simulators.score.show import summary, table
from simulators.truth import read_truth
from voltair.bench import free_port, process, wait
from voltair.supervise import voltair_argv

_LONGEST_DAYS = 10
"""Longer ones run only when they are named."""
_DAY_MS = 86_400_000


def measure_scenarios(names: Sequence[str], folder: Path | None) -> Iterator[tuple[str, str]]:
    """Score scenarios one after the other; the sum stands at the end.

    Parameters
    ----------
    names
        Names of scenarios; none: every one that ends within ten days.
    folder
        For the scores as JSON and as tables; None: they are not kept.
    """
    scores = []
    for name in names or _library():
        found = _score(name)
        scores.append(found)
        yield name, summary(found).removeprefix(f"{name}: ")
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{name}.json").write_bytes(msgspec.json.encode(found))
            (folder / f"{name}.txt").write_text(table(found) + "\n", "utf-8")
    yield "all", _sum(scores)


def _library() -> list[str]:
    found = []
    for name, _ in list_scenarios():
        length_ms = load_scenario(name).duration_ms
        if length_ms is not None and length_ms <= _LONGEST_DAYS * _DAY_MS:
            found.append(name)
    return found


def _score(name: str) -> Score:
    with tempfile.TemporaryDirectory(prefix="voltair-bench-") as text, mosquitto(Path(text)) as port:
        folder, api_port = Path(text), free_port()
        (folder / "stations.toml").write_text(load_scenario(name).stations_toml(), "utf-8")
        config = folder / "voltair.toml"
        config.write_text(
            f'[mqtt]\nurl = "mqtt://127.0.0.1:{port}"\n[clock]\nmode = "event"\n'
            f'[api]\nlisten = "127.0.0.1:{api_port}"\n',
            "utf-8",
        )
        url = f"http://127.0.0.1:{api_port}"
        with process(voltair_argv("run", "--config", str(config)), folder), httpx.Client(trust_env=False) as client:
            wait(lambda: client.get(f"{url}/readyz").status_code == httpx.codes.OK, folder)
            simulate(name, speed="max", broker=f"mqtt://127.0.0.1:{port}", truth_file=folder / "truth.json")
            truth = read_truth(folder / "truth.json")
            with Api(url) as api:
                wait(lambda: _settled(api), folder)
                return score(truth, api.alerts(truth), api.key_figures(truth))


def _settled(api: Api) -> bool:
    """Return whether everything is analysed and every station's watermark has come to its newest reading."""
    progress = api.get("progress")
    newest = {s["station"]: s["now"] for s in api.get("stations", limit="1000")["items"]}
    marks = progress["watermark"]
    return progress["journalled"] == progress["analysed"] > 0 and all(
        mark is None or marks.get(name) == mark for name, mark in newest.items()
    )


def _sum(scores: Sequence[Score]) -> str:
    days = sum(s.days for s in scores)
    false = Counter(alarm.rule for s in scores for alarm in s.false_alarms)
    rules = ", ".join(f"{rule} {count}" for rule, count in false.most_common())
    return (
        f"{sum(s.found for s in scores)} of {sum(s.expected for s in scores)} faults found, {false.total()} false "
        f"alarms in {days:.1f} days ({false.total() / days:.3f} a day){f': {rules}' if rules else ''}"
    )
