"""What can be wrong with a rule that has the right keys and types."""

from collections.abc import Iterator

from analytics.customers import CUSTOMER_FIGURES
from analytics.detectors import DETECTORS
from analytics.detectors.fields import fields_of
from analytics.groups import GROUP_FIGURES
from analytics.rules.texts import PLACEHOLDERS, placeholders_of
from analytics.rules.types import (
    IDLE_WINDOW,
    BucketInput,
    ClockInput,
    DetectorInput,
    KpiInput,
    MonitorInput,
    Rule,
    SilenceInput,
    StateInput,
)
from telemetry.channels import KIND_BY_NAME
from telemetry.registry import station_kind_of
from telemetry.times import parse_duration_ms


def problems_of(rule: Rule) -> Iterator[str]:
    """Yield what is wrong with a rule: the key, the value and the remedy."""
    durations = {"for": rule.for_, "keep_firing_for": rule.keep_firing_for}
    if isinstance(rule.input, KpiInput) and rule.input.window != IDLE_WINDOW:
        durations["input.window"] = rule.input.window
    for key, text in durations.items():
        if parse_duration_ms(text) is None:
            yield f"key '{key}': {text!r} is no duration; write for example 5s, 15m or 24h"
    if not 0 <= rule.min_coverage <= 1:
        yield f"key 'min_coverage': {rule.min_coverage} is no fraction; write 0 to 1"
    if rule.update_share is not None and rule.update_share <= 0:
        yield f"key 'update_share': {rule.update_share} is not above 0; leave it out for no updates"
    for part, texts in (("summary", rule.summary), ("remedy", rule.remedy)):
        for language, template in (("en", texts.en), ("zh", texts.zh)):
            for problem in _template_problems(template):
                yield f"key '{part}.{language}': {problem}"
    yield from _source_problems(rule)


def _source_problems(rule: Rule) -> Iterator[str]:
    if isinstance(rule.input, MonitorInput) != (rule.station_kind == "voltair"):
        yield "key 'station_kind': 'voltair' and input.source 'monitor' belong together; write both or neither"
    if isinstance(rule.input, DetectorInput) and rule.input.detector not in DETECTORS:
        yield f"key 'input.detector': there is no detector {rule.input.detector!r}; there are {', '.join(DETECTORS)}"
    if isinstance(rule.input, KpiInput):
        yield from _scope_problems(rule, rule.input)
    if isinstance(rule.input, StateInput | SilenceInput | BucketInput | ClockInput):
        yield from _device_problems(rule, rule.input)
    if isinstance(rule.input, StateInput | SilenceInput):
        yield from _state_problems(rule, rule.input)
    else:
        yield from _limit_problems(rule)


def _scope_problems(rule: Rule, source: KpiInput) -> Iterator[str]:
    if source.scope not in ("customer", "group"):
        return
    figures = CUSTOMER_FIGURES if source.scope == "customer" else GROUP_FIGURES.get(rule.station_kind, ())
    if source.scope == "customer" and rule.station_kind != "compressed_air":
        yield "key 'station_kind': customers are of compressed_air stations; write that"
    elif not figures:
        yield "key 'station_kind': a group is judged by the stations of one kind; write charging or compressed_air"
    elif source.kpi not in figures:
        yield f"key 'input.kpi': a {source.scope} has no figure {source.kpi!r}; it has {', '.join(figures)}"
    if source.window == IDLE_WINDOW:
        yield f"key 'input.window': a {source.scope} has no idle hours; write a length such as 24h"


def _limit_problems(rule: Rule) -> Iterator[str]:
    if rule.comparison is None:
        yield "key 'comparison' is missing; write one of > >= < <="
    if rule.threshold is None and rule.threshold_from is None:
        yield "key 'threshold' is missing; write a number, or threshold_from"
    if rule.clear_threshold is not None and rule.threshold is not None and rule.comparison is not None:
        quiet = rule.clear_threshold <= rule.threshold
        if quiet != rule.comparison.startswith(">"):
            yield (
                f"key 'clear_threshold': {rule.clear_threshold} is not on the quiet side of threshold "
                f"{rule.threshold} ({rule.comparison})"
            )


def _state_problems(rule: Rule, source: StateInput | SilenceInput) -> Iterator[str]:
    if rule.comparison is not None or rule.threshold is not None:
        yield (
            "keys 'comparison' and 'threshold' have no meaning for states and silence; remove them "
            "(offline_after_s in stations.toml says when a device is offline)"
        )
    if isinstance(source, StateInput):
        for kind in (k for k in source.device_kinds if k in KIND_BY_NAME):
            known = sorted({s for c in KIND_BY_NAME[kind].codes if c.name != "online" for s in c.states})
            for state in source.states:
                if state not in known:
                    yield f"key 'input.states': a {kind} has no state {state!r}; it has {', '.join(known)}"


def _device_problems(rule: Rule, source: StateInput | SilenceInput | BucketInput | ClockInput) -> Iterator[str]:
    for kind in source.device_kinds:
        if kind not in KIND_BY_NAME:
            yield f"key 'input.device_kinds': {kind!r} is none of {', '.join(KIND_BY_NAME)}"
            continue
        if rule.station_kind not in ("any", station_kind_of(kind)):
            yield f"key 'input.device_kinds': a {kind} is no device of a {rule.station_kind} station"
        if isinstance(source, BucketInput) and source.field not in fields_of(kind):
            yield f"key 'input.field': a {kind} has no field {source.field!r}; it has {', '.join(fields_of(kind))}"


def _template_problems(template: str) -> Iterator[str]:
    try:
        unknown = placeholders_of(template) - PLACEHOLDERS
    except ValueError as error:
        yield f"{template!r}: {error}; write {{{{ and }}}} for braces"
        return
    for name in sorted(unknown):
        yield f"there is no placeholder {{{name}}}; there are {', '.join(sorted(PLACEHOLDERS))}"
