"""One attempt at one delivery: sign, post to the checked address, and say what came of it."""

import asyncio
import functools
import ipaddress
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx

from api.bodies import FORMATS, refusal
from api.endpoints import Endpoint
from api.guard import Forbidden, Resolve, checked_address, resolve
from api.signing import dingtalk_query, feishu_signed, robot_secret, signature, webhook_secrets

TIMEOUT_S = 15.0
"""A receiver that takes longer has failed."""
_ANSWER_BYTES = 65_536
"""More of an answer is not read: the connection is closed instead."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one attempt."""

    status: int | None
    """HTTP status; None where there was no answer."""
    error: str
    """Why there was none, or why the answer is a refusal all the same; "" where neither."""
    latency_ms: int
    retry_after_s: float | None = None
    """How long the receiver asks us to wait."""
    reached: bool = True
    """Whether there was a connection at all."""

    @property
    def delivered(self) -> bool:
        """Whether the receiver has taken it."""
        return self.status is not None and 200 <= self.status < 300 and not self.error

    @property
    def strained(self) -> bool:
        """Whether the receiver is away or overloaded: then others need not try."""
        return self.status is None or self.status in (408, 429) or self.status >= 500


def retry_after_s(header: str | None, wall_s: float) -> float | None:
    """Return the wait that a `Retry-After` header asks for [s], None where it asks for none."""
    if not header:
        return None
    if header.strip().isdigit():
        return float(header)
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - wall_s)
    except ValueError:
        return None


def _robot_signed(endpoint: Endpoint, query: str, body: bytes, wall_s: float) -> tuple[str, bytes]:
    """Return query and body as the robot behind an endpoint wants them signed, at the time of the attempt."""
    secret = robot_secret(endpoint.secret)
    if secret and endpoint.format == "dingtalk":
        query = "&".join(filter(None, (query, dingtalk_query(secret, int(1000 * wall_s)))))
    elif secret and endpoint.format == "feishu":
        body = feishu_signed(secret, int(wall_s), body)
    return query, body


class Poster:
    """Posts to endpoints, with one connection pool for each.

    A pool is never shared: a connection is pinned to an address, and another name on the same address must not get
    it with the first one's certificate.
    """

    def __init__(
        self,
        *,
        wall_s: Callable[[], float] = time.time,
        resolver: Resolve = resolve,
        ssl_context: ssl.SSLContext | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._wall_s = wall_s
        self._resolver = resolver
        self._timeout_s = timeout_s
        self._ssl = ssl_context
        self._clients: dict[str, tuple[str, httpx.AsyncClient]] = {}

    async def post(self, endpoint: Endpoint, message_id: str, body: bytes) -> Outcome:
        """Make one attempt; never raises for what the receiver or the network does."""
        started = time.monotonic()
        status: int | None = None
        error, wait_s, reached = "", None, True
        try:
            async with asyncio.timeout(self._timeout_s):
                status, error, wait_s = await self._send(endpoint, message_id, body)
        except TimeoutError:
            error = f"no answer within {self._timeout_s:g} s"
        except Forbidden as verdict:
            error = f"not sent: {verdict}"
        except (httpx.ConnectError, httpx.ConnectTimeout) as failure:
            error, reached = f"no connection: {failure}"[:256], False
        except (OSError, httpx.HTTPError, httpx.InvalidURL, ssl.SSLError) as failure:
            error = f"{type(failure).__name__}: {failure}"[:256]
        return Outcome(status, error, round(1000 * (time.monotonic() - started)), wait_s, reached)

    async def _send(self, endpoint: Endpoint, message_id: str, body: bytes) -> tuple[int, str, float | None]:
        parts = urlsplit(endpoint.url)
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        address = await checked_address(host, port, parts.scheme, endpoint.allow_private, self._resolver)
        at = f"[{address}]" if ipaddress.ip_address(address.partition("%")[0]).version == 6 else address
        wall_s = self._wall_s()
        query, body = _robot_signed(endpoint, parts.query, body, wall_s)
        headers = {
            **endpoint.headers,
            "User-Agent": "Voltair",
            "Host": parts.netloc,
            "Accept-Encoding": "identity",
            "Content-Type": FORMATS[endpoint.format].content_type,
            "Idempotency-Key": message_id,
            "webhook-id": message_id,
            "webhook-timestamp": str(int(wall_s)),
        }
        secrets = webhook_secrets(endpoint.format, endpoint.secret)
        if secrets:
            headers["webhook-signature"] = signature(secrets, message_id, int(wall_s), body)
        target = f"{parts.scheme}://{at}:{port}{parts.path or '/'}" + (f"?{query}" if query else "")
        client = await self._client(endpoint)
        async with client.stream(
            "POST", target, content=body, headers=headers, extensions={"sni_hostname": host}
        ) as answer:
            # Only an answer that is read to its end leaves the connection open for the next delivery.
            text = b""
            async for chunk in answer.aiter_raw():
                text += chunk
                if len(text) > _ANSWER_BYTES:
                    break
            return answer.status_code, refusal(endpoint.format, text), retry_after_s(
                answer.headers.get("retry-after"), wall_s
            )

    async def _client(self, endpoint: Endpoint) -> httpx.AsyncClient:
        if self._clients.get(endpoint.id, ("",))[0] != endpoint.url:
            context = await self._tls(endpoint.url)
            url, old = self._clients.get(endpoint.id, ("", None))
            if url != endpoint.url:
                client = httpx.AsyncClient(
                    verify=context, trust_env=False, follow_redirects=False, timeout=self._timeout_s,
                    limits=httpx.Limits(max_connections=16, max_keepalive_connections=8, keepalive_expiry=30.0),
                )
                self._clients[endpoint.id] = (endpoint.url, client)
                if old is not None:
                    await old.aclose()
        return self._clients[endpoint.id][1]

    async def prepare(self) -> None:
        """Load the authorities now, so that the first delivery need not wait for it."""
        await self._tls("https:")

    async def _tls(self, url: str) -> ssl.SSLContext:
        if not url.startswith("https:"):
            # Never used for plain http, and without any authority it could trust nobody.
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        return await asyncio.to_thread(_default_tls) if self._ssl is None else self._ssl

    async def close(self) -> None:
        """Close all connections."""
        for _, client in self._clients.values():
            await client.aclose()
        self._clients.clear()


@functools.cache
def _default_tls() -> ssl.SSLContext:
    """Trust the bundled authorities and those of the system (a company's own)."""
    context = httpx.create_ssl_context(trust_env=False)
    context.load_default_certs()
    return context
