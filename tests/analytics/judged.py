"""Windows made by hand, judged by the detectors of the shipped rules."""

from analytics.alerts import Alerts
from analytics.judge import judge
from analytics.rules.load import RulePack, load_rules
from analytics.rules.types import DetectorInput
from analytics.window import Window
from telemetry.registry import Registry
from telemetry.times import MINUTE_MS

SHIPPED = load_rules()
PACK = RulePack({}, {name: rule for name, rule in SHIPPED.rules.items() if isinstance(rule.input, DetectorInput)})


def fired(whole: Window, step: int) -> list[tuple[str, str]]:
    """Return (rule, device) of every alert that fires, judged in pieces of `step` minutes."""
    alerts = Alerts(PACK, Registry({"s": whole.station}))

    def load(from_ms: int, to_ms: int, *, extremes: bool = False, **_: object) -> Window:
        minutes = {k: b.take((b.start_ms >= from_ms) & (b.start_ms < to_ms)) for k, b in whole.minutes.items()}
        return Window(whole.station, whole.listed, from_ms, to_ms, to_ms, minutes, whole.runs, whole.first_heard_ms,
                      whole.last_heard_ms, whole.deaf_ms)

    for at in range(whole.from_ms, whole.to_ms, step * MINUTE_MS):
        judge(alerts, whole.station, "s", load, at, min(at + step * MINUTE_MS, whole.to_ms))
    return sorted({(t.rule, t.device or "") for t in alerts.take_transitions() if t.type == "alert.firing"})
