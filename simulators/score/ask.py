"""Alerts and key figures of a running Voltair, over its HTTP API and nothing else."""

from typing import Any

import httpx
import msgspec

from simulators.score.match import Alert
from simulators.truth import Truth
from telemetry.errors import VoltairError

_TIMEOUT_S = 60.0


class Api:
    """A connection to `/api/v1`.

    Parameters
    ----------
    url
        Address of the server, like `http://127.0.0.1:8080`.
    token
        Bearer token; empty: none.
    """

    def __init__(self, url: str, token: str = "") -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._url = url.rstrip("/")
        self._client = httpx.Client(base_url=f"{self._url}/api/v1/", headers=headers, timeout=_TIMEOUT_S)

    def __enter__(self) -> "Api":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, path: str, **query: str) -> Any:
        """Return the answer of one call.

        Raises
        ------
        VoltairError
            If there is no answer, or it is an error.
        """
        try:
            answer = self._client.get(path, params={name.rstrip("_"): value for name, value in query.items()})
        except httpx.HTTPError as error:
            msg = f"no answer from {self._url}: {error}; is 'voltair run' or 'voltair demo' there? --api names another"
            raise VoltairError(msg) from error
        if answer.is_error:
            msg = f"{answer.url} answers {answer.status_code}: {answer.text[:300]}"
            raise VoltairError(msg)
        return answer.json()

    def alerts(self, truth: Truth) -> list[Alert]:
        """Return the alerts of the truth's stations that fired in its time."""
        found: list[Alert] = []
        for station in truth.stations:
            query = {"station": station.station, "from_": truth.from_, "to": truth.to}
            while True:
                page = self.get("alerts", **query)
                found += msgspec.convert(page["items"], list[Alert])
                if page["next_cursor"] is None:
                    break
                query["cursor"] = page["next_cursor"]
        return [a for a in found if truth.from_ <= a.fired_at < truth.to]

    def key_figures(self, truth: Truth) -> dict[str, dict[str, float | None]]:
        """Return station -> key figures over the time of the truth."""
        return {
            row.station: self.get(f"stations/{row.station}/kpis", from_=truth.from_, to=truth.to)["kpis"]
            for row in truth.stations
        }

    def behind(self) -> int:
        """Return the number of readings that are received and not yet analysed."""
        progress = self.get("progress")
        return int(progress["journalled"] - progress["analysed"])
