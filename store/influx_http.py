"""Requests to InfluxDB: writes of 1.x by `/write`, of 2.x and 3.x by influxdb-client; queries of all by `/query`."""

import ssl
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import httpx
import msgspec
from urllib3.exceptions import HTTPError

from telemetry.config import InfluxConfig
from telemetry.errors import StoreError, StoreUnavailable
from telemetry.times import parse_duration_ms

CONNECT_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server says."""

    status: int
    text: str
    """Its error message, or the whole body."""
    retry_after_s: float | None = None


class WriteClient(Protocol):
    """A connection that is kept for writing."""

    def write(self, database: str, body: bytes) -> Reply:
        """Post line protocol with times in ns.

        Raises
        ------
        StoreUnavailable
            If there is no answer.
        """
        ...

    def close(self) -> None:
        """Release the connection."""
        ...


def write_client(config: InfluxConfig) -> WriteClient:
    """Return the client for the configured generation of InfluxDB."""
    return _DatabaseClient(config) if config.version == 1 else _BucketClient(config)


def query(
    config: InfluxConfig, database: str, statement: str, *, missing_is_empty: bool = True
) -> list[dict[str, Any]]:
    """Run one InfluxQL statement and return its series: `{"name", "tags", "columns", "values"}`, times in ns.

    Parameters
    ----------
    missing_is_empty
        Whether a database that is not there yet answers like an empty one.

    Raises
    ------
    StoreUnavailable
        If there is no answer.
    StoreError
        If the server refuses the query.
    """
    with _http(config) as client:
        reply = _post(client, config, "/query", {"db": database, "q": statement, "epoch": "ns"}, b"")
    if reply.status in (429, 500, 502, 503, 504):
        msg = f"InfluxDB {config.url} cannot answer now ({reply.status}: {reply.text})"
        raise StoreUnavailable(msg, reply.retry_after_s)
    if reply.status != 200:
        msg = f"InfluxDB {config.url} refuses a query ({reply.status}: {reply.text}); check store.influx"
        raise StoreError(msg)
    result = msgspec.json.decode(reply.text)["results"][0]
    if "error" in result:
        if missing_is_empty and "database not found" in result["error"]:
            return []
        msg = f"InfluxDB {config.url} refuses {statement!r}: {result['error']}"
        raise StoreError(msg)
    series: list[dict[str, Any]] = result.get("series", [])
    return series


def go_duration_ms(text: str) -> int:
    """Return a duration such as `720h0m0s` in ms; `0s` is for ever, 0."""
    total_ms = 0
    number = ""
    for letter in text:
        if letter.isalpha():
            total_ms += parse_duration_ms(number + letter) or 0
            number = ""
        else:
            number += letter
    return total_ms


class _DatabaseClient:
    """InfluxDB 1.x."""

    def __init__(self, config: InfluxConfig) -> None:
        self._config = config
        self._client = _http(config)

    def write(self, database: str, body: bytes) -> Reply:
        return _post(self._client, self._config, "/write", {"db": database, "precision": "ns"}, body)

    def close(self) -> None:
        self._client.close()


class _BucketClient:
    """InfluxDB 2.x and 3.x, and what speaks their `/api/v2/write`."""

    def __init__(self, config: InfluxConfig) -> None:
        # A second of imports, which only who writes to 2.x or 3.x should wait for.
        from influxdb_client.client.influxdb_client import InfluxDBClient  # noqa: PLC0415
        from influxdb_client.client.write_api import SYNCHRONOUS  # noqa: PLC0415
        from influxdb_client.rest import ApiException  # noqa: PLC0415

        self._config = config
        self._refusal: type[Exception] = ApiException
        timeouts_ms = (round(CONNECT_TIMEOUT_S * 1000), round(ANSWER_TIMEOUT_S * 1000))
        # The package is typed in part only.
        self._client: Any = InfluxDBClient(config.url, token=config.token, org=config.org, timeout=timeouts_ms)
        self._api: Any = self._client.write_api(write_options=SYNCHRONOUS)

    def write(self, database: str, body: bytes) -> Reply:
        try:
            self._api.write(database, self._config.org, body, write_precision="ns")
        except self._refusal as refusal:
            error: Any = refusal
            # A refusal of the client's own, such as a TLS certificate, has no status.
            if not error.status:
                raise _no_answer(self._config, error.reason) from refusal
            return _reply(error.status, error.body or b"", (error.headers or {}).get("Retry-After"))
        except (HTTPError, OSError) as error:
            raise _no_answer(self._config, error) from error
        return Reply(204, "")

    def close(self) -> None:
        self._api.close()
        self._client.close()


def _http(config: InfluxConfig) -> httpx.Client:
    headers = {"Authorization": f"Token {config.token}"} if config.version != 1 and config.token else {}
    auth = (config.username, config.password) if config.version == 1 and config.username else None
    timeout = httpx.Timeout(ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
    return httpx.Client(base_url=config.url, headers=headers, auth=auth, timeout=timeout, verify=_tls())


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    """Return the system's certificates; reading them takes longer than most queries."""
    return ssl.create_default_context()


def _post(client: httpx.Client, config: InfluxConfig, path: str, params: dict[str, str], body: bytes) -> Reply:
    try:
        response = client.post(path, params=params, content=body)
    except (httpx.TransportError, httpx.InvalidURL) as error:
        raise _no_answer(config, error) from error
    return _reply(response.status_code, response.content, response.headers.get("Retry-After"))


def _no_answer(config: InfluxConfig, error: object) -> StoreUnavailable:
    reason = str(error) or type(error).__name__
    msg = (
        f"InfluxDB {config.url} does not answer ({reason}); start it, or correct store.influx.url. Nothing is lost: "
        "the journal keeps what is not yet written"
    )
    return StoreUnavailable(msg)


def _reply(status: int, body: bytes | str, retry_after: str | None) -> Reply:
    """Read the message out of `{"error": ...}` (1.x, 3.x) or `{"message": ...}` (2.x)."""
    text = body if isinstance(body, str) else body.decode("utf-8", "replace")
    if status >= 300:
        try:
            said = msgspec.json.decode(text)
            text = str(said.get("message") or said.get("error") or text) if isinstance(said, dict) else text
        except msgspec.DecodeError:
            pass
        text = text.strip()[:1000]
    # The other form, a date, is rare: the writer's own pause will do.
    pause = float(retry_after) if retry_after and retry_after.isdigit() else None
    return Reply(status, text, pause)
