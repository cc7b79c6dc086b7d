"""A client of the HTTP API for other programs: one method per call, answers with types, lists page by page.

It needs httpx and msgspec and knows nothing else of Voltair, so it may be used on another machine.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

import httpx
import msgspec

from voltair.client_types import Alert, Event, Kpis, PortUptime, Session, Station, StationDetail, Value

Json = dict[str, Any]
When = datetime | str | int
"""An aware datetime, RFC 3339 with an offset, or ms since the epoch."""
T = TypeVar("T")

_BASE = "/api/v1/"


class ApiError(Exception):
    """The API refused a call; the text names the value and the remedy."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"{status}: {detail}")
        self.status = status
        self.detail = detail


class Client:
    """Calls one Voltair; to be used by one thread at a time.

    Parameters
    ----------
    url
        Address of the page, such as `http://127.0.0.1:8080`.
    token
        Of `VOLTAIR_API_TOKENS`; empty where the server has none.
    timeout_s
        Of each step of a call: connecting, and every piece of the answer.
    """

    def __init__(self, url: str = "http://127.0.0.1:8080", token: str = "", *, timeout_s: float = 30.0) -> None:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self.http = httpx.Client(base_url=url.rstrip("/"), headers=headers, timeout=timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self.http.close()

    # ---- stations and groups

    def stations(self) -> Iterator[Station]:
        """Yield all stations, in the order of stations.toml."""
        return self._list("stations", Station)

    def station(self, station: str) -> StationDetail:
        """Return a station with its devices and their last values."""
        return self._get(f"stations/{station}", StationDetail)

    def kpis(self, station: str, from_: When | None = None, to: When | None = None) -> Kpis:
        """Return the key figures of a station over `[from_, to)`, by default the last 24 hours."""
        return self._get(f"stations/{station}/kpis", Kpis, **{"from": from_, "to": to})

    def groups(self) -> Iterator[Json]:
        """Yield all groups of stations."""
        return self._list("groups", Json)

    def group(self, group: str) -> Json:
        """Return one group."""
        return self._get(f"groups/{group}", Json)

    def group_kpis(self, group: str, from_: When | None = None, to: When | None = None) -> Json:
        """Return the key figures of a group."""
        return self._get(f"groups/{group}/kpis", Json, **{"from": from_, "to": to})

    # ---- charging

    def sessions(self, station: str, from_: When | None = None, to: When | None = None) -> Iterator[Session]:
        """Yield the charging sessions that overlap `[from_, to)`, oldest first."""
        return self._list(f"stations/{station}/sessions", Session, **{"from": from_, "to": to})

    def uptime(self, station: str, from_: When | None = None, to: When | None = None) -> Iterator[PortUptime]:
        """Yield the uptime of each port with its outages."""
        return self._list(f"stations/{station}/uptime", PortUptime, **{"from": from_, "to": to})

    def uptime_year(self, station: str, month: str | None = None) -> Iterator[Json]:
        """Yield each port's uptime of the twelve calendar months up to and with `month` (`YYYY-MM`)."""
        return self._list(f"stations/{station}/uptime/year", Json, month=month)

    def nevi(
        self, station: str, quarter: str, table: Literal["sessions", "uptime", "outages"] = "sessions"
    ) -> Json:
        """Return the quarterly data of 23 CFR 680.112 for a quarter `YYYY-Qn`."""
        return self._get(f"stations/{station}/nevi", Json, quarter=quarter, table=table)

    # ---- compressed air

    def leaks(self, station: str, from_: When | None = None, to: When | None = None) -> Json:
        """Return the leakage, fused and by method."""
        return self._get(f"stations/{station}/leaks", Json, **{"from": from_, "to": to})

    def energy_code(self, station: str, from_: When | None = None, to: When | None = None) -> Json:
        """Return green, yellow, red or grey of the station, its machines and customers, with the reasons."""
        return self._get(f"stations/{station}/energy-code", Json, **{"from": from_, "to": to})

    def statement(self, station: str, month: str) -> Json:
        """Return the statement of a month `YYYY-MM`, issued or as a draft."""
        return self._get(f"stations/{station}/statement", Json, month=month)

    def issue_statement(self, station: str, month: str) -> Json:
        """Freeze the statement of a month that is over."""
        return self._post(f"stations/{station}/statement", {}, month=month)

    def advice(self, station: str) -> Json:
        """Return what to change now, and what it brings."""
        return self._get(f"stations/{station}/advice", Json)

    def planning(
        self, station: str, *, ports: int | None = None, from_: When | None = None, to: When | None = None
    ) -> Json:
        """Return how often vehicles would be blocked with another number of ports, estimated."""
        return self._get(f"stations/{station}/planning", Json, ports=ports, **{"from": from_, "to": to})

    def rules(self, station: str) -> Iterator[Json]:
        """Yield the rules in force at a station, and their states."""
        return self._list(f"stations/{station}/rules", Json)

    # ---- series

    def series(
        self, measurement: str, field: str, *, station: str | None = None, device: str | None = None,
        from_: When | None = None, to: When | None = None, step: str | None = None, agg: str | None = None,
    ) -> Iterator[Value]:
        """Yield the values of one field in order of time; with `step` (`15m`) one per step."""
        asked = {"from": from_, "to": to, "step": step, "agg": agg, "station": station, "device": device}
        return self._list("series", Value, measurement=measurement, field=field, **asked)

    def save(self, call: str, file: Path, **asked: When | None) -> None:
        """Save the rows of a call as a file, CSV or Parquet by the end of its name.

        Parameters
        ----------
        call
            Such as `series` or `stations/harbour/sessions`.
        file
            Where to; it appears when it is complete.
        **asked
            Parameters of the call; `from_` stands for `from`.
        """
        query = _query({**{name.rstrip("_"): value for name, value in asked.items()}, "format": file.suffix[1:]})
        unfinished = file.with_name(file.name + ".part")
        with self.http.stream("GET", _BASE + call, params=query) as answer, unfinished.open("wb") as out:
            _check(answer)
            for piece in answer.iter_bytes():
                out.write(piece)
        unfinished.replace(file)

    # ---- alerts

    def alerts(
        self, *, state: Literal["firing", "resolved"] | None = None, station: str | None = None,
        severity: str | None = None, category: str | None = None, rule: str | None = None,
        from_: When | None = None, to: When | None = None,
    ) -> Iterator[Alert]:
        """Yield alerts, oldest first; without a window all."""
        asked = {"state": state, "station": station, "severity": severity, "category": category, "rule": rule}
        return self._list("alerts", Alert, **asked, **{"from": from_, "to": to})

    def alert(self, alert: str) -> Alert:
        """Return one alert."""
        return self._get(f"alerts/{alert}", Alert)

    def acknowledge(self, alert: str, by: str, note: str = "") -> Alert:
        """Take an alert on."""
        return msgspec.convert(self._post(f"alerts/{alert}/ack", {"by": by, "note": note}), Alert)

    def mark_repaired(self, alert: str, by: str, note: str = "") -> Alert:
        """Mark a leak repaired; the next nights verify it."""
        return msgspec.convert(self._post(f"alerts/{alert}/repaired", {"by": by, "note": note}), Alert)

    def events(self, after: int = 0) -> Iterator[Event]:
        """Yield every transition after number `after`, in order: keep `n` of the last one and go on from there."""
        return self._list("events", Event, after=after)

    def silences(self) -> Iterator[Json]:
        """Yield what is silenced."""
        return self._list("silences", Json)

    def exclusions(self, station: str | None = None) -> Iterator[Json]:
        """Yield maintenance windows."""
        return self._list("exclusions", Json, station=station)

    def webhooks(self) -> Iterator[Json]:
        """Yield the endpoints of alerts."""
        return self._list("webhooks", Json)

    def webhook(self, endpoint: str) -> Json:
        """Return one endpoint."""
        return self._get(f"webhooks/{endpoint}", Json)

    def deliveries(self, endpoint: str, state: str | None = None) -> Iterator[Json]:
        """Yield the deliveries to an endpoint."""
        return self._list(f"webhooks/{endpoint}/deliveries", Json, state=state)

    # ---- operation

    def stream(self) -> Iterator[tuple[str, Json]]:
        """Yield (name, data) of every server-sent event until the connection ends; then call it again."""
        timeout = httpx.Timeout(self.http.timeout.connect, read=None)
        with self.http.stream("GET", _BASE + "stream", timeout=timeout) as answer:
            _check(answer)
            name = "message"
            for line in answer.iter_lines():
                key, _, value = line.partition(":")
                if key == "event":
                    name = value.strip()
                elif key == "data":
                    yield name, json.loads(value)

    def progress(self) -> Json:
        """Return the counters of the river."""
        return self._get("progress", Json)

    def dead_letters(self) -> Iterator[Json]:
        """Yield what could not be read."""
        return self._list("dead-letters", Json)

    def audit(self) -> Iterator[Json]:
        """Yield who changed what."""
        return self._list("audit", Json)

    def live(self) -> bool:
        """Return whether the process answers."""
        return self.http.get("/livez").is_success

    def readiness(self) -> Json:
        """Return `status` and `reasons`; it is no error when something is not ready."""
        answer: Json = self.http.get("/readyz").json()
        return answer

    def metrics(self) -> str:
        """Return the metrics as Prometheus reads them."""
        return _check(self.http.get("/metrics")).text

    # ---- how

    def _get(self, call: str, type_: type[T], **asked: When | None) -> T:
        answer = _check(self.http.get(_BASE + call, params=_query(asked)))
        return msgspec.json.decode(answer.content, type=type_)

    def _post(self, call: str, body: Json, **asked: When | None) -> Json:
        found: Json = _check(self.http.post(_BASE + call, json=body, params=_query(asked))).json()
        return found

    def _list(self, call: str, type_: type[T], **asked: When | None) -> Iterator[T]:
        cursor: str | None = None
        while True:
            page = self._get(call, Json, **asked, cursor=cursor)
            for item in page["items"]:
                yield msgspec.convert(item, type_)
            cursor = page["next_cursor"]
            if cursor is None:
                return


def _query(asked: Mapping[str, When | None]) -> dict[str, str | int]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in asked.items() if value is not None
    }


def _check(answer: httpx.Response) -> httpx.Response:
    if answer.is_success:
        return answer
    answer.read()
    try:
        detail = answer.json()["detail"]
    except (ValueError, KeyError, TypeError):
        detail = answer.text[:200] or answer.reason_phrase
    raise ApiError(answer.status_code, detail)
