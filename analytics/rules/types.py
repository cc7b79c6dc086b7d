"""A rule as data: what it watches, when that is an alert, and what to tell people."""

from typing import Literal

import msgspec

from telemetry.config import duration

Category = Literal[
    "availability", "fault", "electrical", "efficiency", "leak", "pressure", "air_quality", "metering", "monitor"
]
Severity = Literal["info", "warning", "critical"]

IDLE_WINDOW = "idle"
"""`KpiInput.window`: the last finished idle window of the station instead of a length."""


class StateInput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="source",
                 tag="state"):
    """The rule holds while a device is in one of these states. It is judged reading by reading, without delay."""

    device_kinds: tuple[str, ...]
    states: tuple[str, ...]


class SilenceInput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="source",
                   tag="silence"):
    """The rule holds while a device, or every device of a station, is offline."""

    device_kinds: tuple[str, ...]
    scope: Literal["device", "station"]
    """`station`: all devices of `device_kinds` that were ever heard are offline together."""


class KpiInput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="source", tag="kpi"):
    """The rule compares a key figure, judged each minute at the watermark."""

    kpi: str
    """Name in the answer of the KPI call."""
    window: str
    """Length of the window that ends at the watermark, or `IDLE_WINDOW`."""
    scope: Literal["station", "device", "customer", "group"] = "station"
    """`device`: each device that has the figure is judged alone; `customer`: each customer of a compressed-air
    station; `group`: the stations of a group together, each quarter of an hour."""

    @property
    def window_ms(self) -> int | None:
        """Length of the window [ms]; None for the last finished idle window."""
        return None if self.window == IDLE_WINDOW else duration(self.window)


class BucketInput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="source",
                  tag="bucket"):
    """The rule compares a field of the one-minute rows of each device, e.g. `temperature_c_max`."""

    device_kinds: tuple[str, ...]
    field: str
    """`{gauge}_mean`, `{gauge}_min`, `{gauge}_max` or `{gauge}_last`."""


class DetectorInput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="source",
                    tag="detector"):
    """The rule compares what a detector finds."""

    detector: str
    """Name of the step that finds it."""


class ClockInput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="source",
                 tag="clock"):
    """The rule compares how far a device's clock is off [s], on live clocks only."""

    device_kinds: tuple[str, ...]


MonitorFigure = Literal[
    "role_silent_s", "role_not_working", "broker_lost", "ingest_lag_s", "analytics_lag_s", "dead_letters_15m",
    "outbox_age_s", "store_failing", "store_lag_s", "journal_share",
]


class MonitorInput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="source",
                   tag="monitor"):
    """The rule compares a figure of Voltair itself; the API judges it by the wall clock, on live clocks only."""

    figure: MonitorFigure


class Texts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One text in the languages of the operators; placeholders are those of `analytics.rules.texts`."""

    en: str
    zh: str


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of a rule that the lifecycle needs."""

    for_ms: int = 0
    """The condition must hold this long before it fires [ms]."""
    keep_firing_ms: int = 0
    """The condition must be gone this long before it is resolved [ms]."""
    update_share: float | None = None
    """While it fires, a value that differs by this share from the one last told is told again; None: never."""


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True,
           rename={"for_": "for"}):
    """One rule. Durations are texts such as `5s` or `15m`."""

    name: str
    category: Category
    severity: Severity
    station_kind: Literal["charging", "compressed_air", "any", "voltair"]
    """`voltair`: of no station, but of Voltair itself."""
    input: StateInput | SilenceInput | KpiInput | BucketInput | DetectorInput | ClockInput | MonitorInput
    enabled: bool = True
    comparison: Literal[">", ">=", "<", "<="] | None = None
    """How the value stands to the threshold where the rule holds; None for states and silence."""
    threshold: float | None = None
    """Limit in `unit`; None: taken from `threshold_from`."""
    clear_threshold: float | None = None
    """Where the condition ends again, on the quiet side of `threshold`; None: at the threshold itself."""
    threshold_from: (
        Literal["baseline_kwh_per_m3", "contract_pressure", "contract_band", "dew_point_max"] | None
    ) = None
    """The number of stations.toml that is the limit where `threshold` is None."""
    unit: str = ""
    for_: str = "0s"
    """How long the condition must hold before the alert fires."""
    keep_firing_for: str = "0s"
    """How long the condition must be gone before the alert is resolved."""
    min_coverage: float = 0.0
    """A key figure with less coverage than this is unknown: it neither fires nor resolves."""
    update_share: float | None = None
    """A firing alert whose value changes by this share is told again."""
    inhibits: tuple[str, ...] = ()
    """Rules whose alerts at the station are not delivered while this one fires, and five minutes longer."""
    labels: dict[str, str] = {}
    """For who routes and groups; carried by every transition."""
    runbook: str = ""
    """Address of a page that says more than the remedy."""
    summary: Texts
    remedy: Texts

    @property
    def timing(self) -> Timing:
        """What the lifecycle needs of this rule."""
        return Timing(for_ms=duration(self.for_), keep_firing_ms=duration(self.keep_firing_for),
                      update_share=self.update_share)
