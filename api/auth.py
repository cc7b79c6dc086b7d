"""Who may call: bearer tokens or a cookie; without tokens, the loopback address only."""

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Sequence
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

import msgspec
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from api.limits import Failures, address_of
from api.problems import problem_response
from telemetry.config import ApiConfig, split_listen
from telemetry.errors import ConfigError

COOKIE = "voltair"
_OPEN_PREFIXES = ("/livez", "/readyz", "/docs", "/openapi.json", "/schemas", "/login", "/api/v1/login")
"""Calls that need no token: they tell nothing about stations, or are how one logs in."""


class Caller(msgspec.Struct, frozen=True):
    """Who calls."""

    name: str
    admin: bool
    stations: tuple[str, ...] = ()
    """Stations that it may see; empty: all."""

    def sees(self, station: str) -> bool:
        """Return whether it may see a station."""
        return not self.stations or station in self.stations


class Token(msgspec.Struct, frozen=True):
    """One entry of `api.tokens`."""

    token: str
    caller: Caller

    @property
    def cookie(self) -> str:
        """What the page keeps instead of the token; it ends with the token."""
        mark = hmac.new(self.token.encode(), b"voltair cookie 1", hashlib.sha256).hexdigest()
        return f"{self.caller.name}.{mark}"


_SEPARATOR = re.compile(r",?\s+|,(?=[A-Za-z0-9_.-]+=[^=,])")
"""Also a comma, where the next entry and not a further station follows: else two tokens would become one."""

ANYONE = Caller("local", admin=True)
"""The caller where there are no tokens: whoever is on this machine."""


def parse_tokens(text: str) -> list[Token]:
    """Return the tokens of `api.tokens`: `name=token:read|admin[:station,...]`, separated by spaces or commas.

    Raises
    ------
    ConfigError
        If an entry is not like that; the message does not hold the token.
    """
    tokens = []
    for number, entry in enumerate(filter(None, _SEPARATOR.split(text)), 1):
        name, _, rest = entry.partition("=")
        parts = rest.split(":")
        stations: tuple[str, ...] = ()
        if len(parts) > 2 and parts[-2] in ("read", "admin"):
            stations = tuple(s for s in parts.pop().split(",") if s)
        if not name or len(parts) < 2 or parts[-1] not in ("read", "admin") or not parts[0]:
            msg = f"api.tokens: entry {number} ({name!r}) is not like name=token:read or name=token:admin:station"
            raise ConfigError(msg)
        tokens.append(Token(":".join(parts[:-1]), Caller(name, parts[-1] == "admin", stations)))
    return tokens


def check_listen(api: ApiConfig, tokens: Sequence[Token]) -> None:
    """Refuse an address that others can reach where nobody is asked who they are.

    Raises
    ------
    ConfigError
        If there are no tokens and `api.listen` is no loopback address.
    """
    host, _ = split_listen(api.listen)
    if not tokens and not _loopback(host):
        msg = (
            f"api.listen = {api.listen!r} can be reached from outside, and there are no tokens; set "
            "VOLTAIR_API_TOKENS='name=token:admin', or listen on 127.0.0.1"
        )
        raise ConfigError(msg)


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Gate:
    """ASGI middleware: refuses whoever may not call, and notes who calls in `scope["state"]["caller"]`."""

    def __init__(self, app: ASGIApp, api: ApiConfig, tokens: Sequence[Token], failures: Failures) -> None:
        self._app = app
        self._failures = failures
        self._tokens = list(tokens)
        host, _ = split_listen(api.listen)
        public = urlsplit(api.public_url).hostname
        self._hosts = {host.lower(), "localhost", "127.0.0.1", "::1"} | ({public.lower()} if public else set())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it with a problem."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        wait_s = self._failures.wait_s(address_of(scope)) if _tries(scope, headers) else 0.0
        if wait_s:
            detail = f"too many wrong tokens from {address_of(scope)}; wait {wait_s:.0f} s"
            await problem_response(429, detail, headers={"Retry-After": str(int(wait_s) + 1)})(scope, receive, send)
            return
        refusal, caller, by_cookie = self._judge(scope, headers)
        if refusal is None and (not self._tokens or by_cookie):
            refusal = _cross_site(scope, headers)
        if refusal is not None:
            status, detail = refusal
            challenge = {"WWW-Authenticate": 'Bearer realm="voltair"'} if status == 401 else None
            await problem_response(status, detail, headers=challenge)(scope, receive, send)
            return
        scope.setdefault("state", {})["caller"] = caller
        await self._app(scope, receive, send)

    def _judge(self, scope: Scope, headers: Headers) -> tuple[tuple[int, str] | None, Caller | None, bool]:
        """Return (refusal, caller, whether the cookie named it)."""
        if not self._tokens:
            host = headers.get("host", "")
            if _host_name(host) not in self._hosts:
                detail = (
                    f"Host {host!r} is not this server's own; set api.public_url to the address that people use"
                )
                return (421, detail), None, False
            return None, ANYONE, False
        caller, by_cookie = self._who(headers)
        path: str = scope["path"]
        if caller is None and "authorization" in headers:
            self._failures.note(address_of(scope))
        if caller is None:
            if path.startswith(_OPEN_PREFIXES) or not _guarded(path):
                return None, None, False
            return (401, "this call needs a token: send Authorization: Bearer TOKEN, or log in"), None, False
        if not caller.admin and scope["method"] not in ("GET", "HEAD") and not path.endswith(("/login", "/logout")):
            detail = f"token {caller.name!r} may only read; {scope['method']} {path} needs an admin token"
            return (403, detail), None, by_cookie
        return None, caller, by_cookie

    def _who(self, headers: Headers) -> tuple[Caller | None, bool]:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return find_caller(self._tokens, given.strip()), False
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            cookie = None
        if cookie is None:
            return None, False
        found = None
        for token in self._tokens:
            if hmac.compare_digest(token.cookie.encode(), cookie.value.encode()):
                found = token.caller
        return found, True


def find_caller(tokens: Sequence[Token], given: str) -> Caller | None:
    """Return whose token it is; takes the same time for any wrong one."""
    found = None
    for token in tokens:
        if hmac.compare_digest(token.token.encode(), given.encode()):
            found = token.caller
    return found


def _tries(scope: Scope, headers: Headers) -> bool:
    """Return whether a request brings a token that could be a guess."""
    return "authorization" in headers or scope["path"].endswith("/login")


def _guarded(path: str) -> bool:
    """Return whether a path is a call; all else is the page's static files."""
    return path.startswith(("/api/", "/metrics"))


def _host_name(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


def _cross_site(scope: Scope, headers: Headers) -> tuple[int, str] | None:
    """Refuse a changing call that a foreign page could make a browser send without asking."""
    method = scope["method"]
    if method in ("GET", "HEAD", "OPTIONS"):
        return None
    if headers.get("sec-fetch-site") == "cross-site":
        return 403, f"{method} from a page of another site is refused; call it from a program or from our own page"
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json" or (method == "DELETE" and not kind):
        # A browser asks before it sends any DELETE to another site.
        return None
    detail = f"Content-Type {kind!r} of a changing call is refused; send application/json"
    return 415, detail
