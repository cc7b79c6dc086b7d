"""A score for people: a table of text and a picture in SVG."""

from html import escape

from simulators.score.match import Score
from telemetry.times import parse_time

_ROW, _LEFT, _WIDTH, _HEAD = 22, 300, 760, 60
_COLOURS = {"rule": "#2e9e5b", "category": "#d9a514", None: "#c8453b", "nuisance": "#9aa5b1"}


def table(found: Score) -> str:
    """Return the score as text: faults, key figures, sum."""
    faults: list[tuple[str, ...]] = [("fault", "station", "where", "rule", "found", "delay")]
    for o in found.outcomes:
        f = o.fault
        verdict = "nuisance" if f.rule is None else (o.found_by or "MISSED")
        if o.place_right is False:
            verdict += ", wrong place"
        faults.append((f.fault, f.station, f.place or f.device or "", f.rule or "", verdict, _span(o.delay_s)))
    figures: list[tuple[str, ...]] = [("key figure", "station", "true", "found", "error")]
    figures += [
        (
            f.name,
            f.station,
            f"{f.true:.5g}",
            "" if f.found is None else f"{f.found:.5g}",
            "" if f.error is None else f"{100 * f.error:+.2f} %",
        )
        for f in found.figures
    ]
    false: list[tuple[str, ...]] = [("false alarm", "station", "device", "severity", "fired at")]
    false += [(a.rule, a.station, a.device or "", a.severity, a.fired_at) for a in found.false_alarms]
    parts = [_columns(rows) for rows in (faults, false, figures) if len(rows) > 1]
    return "\n\n".join([*parts, summary(found)])


def summary(found: Score) -> str:
    """Return the score in one line."""
    category = f" ({found.found_by_category} more by another rule)" if found.found_by_category else ""
    return (
        f"{found.scenario}: {found.found} of {found.expected} faults found{category}, median delay "
        f"{_span(found.median_delay_s) or '-'}, {len(found.false_alarms)} false alarms in {found.days:.2f} days "
        f"({found.false_per_day:.2f} a day)"
    )


def picture(found: Score, begin: str, end: str) -> str:
    """Return the score as SVG: a line for each fault, from its begin to its end, and when an alert spoke.

    Parameters
    ----------
    found
        The score.
    begin, end
        Time of the truth, RFC 3339.
    """
    first, last = parse_time(begin) or 0, parse_time(end) or 1

    def across(time: str) -> float:
        return _LEFT + _WIDTH * ((parse_time(time) or first) - first) / max(1, last - first)

    shapes = []
    for k, o in enumerate(found.outcomes):
        y = _HEAD + k * _ROW
        f = o.fault
        colour = _COLOURS["nuisance" if f.rule is None else o.found_by]
        name = escape(f"{f.fault} · {f.station} {f.place or f.device or ''}")
        x, width = across(f.from_), max(3.0, across(f.to) - across(f.from_))
        shapes.append(f'<text x="{_LEFT - 8}" y="{y + 12}" text-anchor="end">{name}</text>')
        shapes.append(f'<rect x="{x:.1f}" y="{y + 3}" width="{width:.1f}" height="11" rx="3" fill="{colour}"/>')
        if o.fired_at:
            shapes.append(f'<circle cx="{across(o.fired_at):.1f}" cy="{y + 8}" r="5" fill="none" stroke="#111"/>')
    y = _HEAD + len(found.outcomes) * _ROW
    shapes.append(f'<text x="{_LEFT - 8}" y="{y + 12}" text-anchor="end">false alarms</text>')
    shapes += [
        f'<path d="M{across(a.fired_at):.1f} {y + 2}l4 12h-8z" fill="#c8453b"><title>{escape(a.rule)}</title></path>'
        for a in found.false_alarms
    ]
    height = y + 2 * _ROW
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_LEFT + _WIDTH + 20}" height="{height}" '
        'font-family="sans-serif" font-size="12">'
        f'<rect width="100%" height="100%" fill="#fff"/><text x="12" y="24" font-size="14">{escape(summary(found))}'
        f'</text><text x="{_LEFT}" y="48" fill="#666">{begin}</text>'
        f'<text x="{_LEFT + _WIDTH}" y="48" fill="#666" text-anchor="end">{end}</text>{"".join(shapes)}</svg>\n'
    )


def _columns(rows: list[tuple[str, ...]]) -> str:
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return "\n".join("  ".join(f"{c:<{w}}" for c, w in zip(row, widths, strict=True)).rstrip() for row in rows)


def _span(seconds: float | None) -> str:
    if seconds is None:
        return ""
    for size, unit in ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
