"""Where webhooks may go: no private address by accident, by name, by disguise or by redirect."""

import asyncio
import contextlib
import ipaddress
import shutil
import ssl
import subprocess
import threading
from pathlib import Path

import pytest
from api_support import endpoint

from api.endpoints import Endpoint, check_endpoint
from api.guard import Forbidden, check_address, check_url, checked_address, parse_networks
from api.post import Poster, retry_after_s
from telemetry.errors import ConfigError

LOOPBACK = ("127.0.0.0/8",)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",  # noqa: S104
        "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:127.0.0.1",
        "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2002:a00:1::",
        "198.18.0.1", "192.0.2.1",
    ],
)
def test_addresses_that_are_not_public_are_refused(address: str) -> None:
    with pytest.raises(Forbidden, match="not a public address"):
        check_address(ipaddress.ip_address(address), "https", [])


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34"])
def test_public_addresses_are_allowed_over_https_only(address: str) -> None:
    check_address(ipaddress.ip_address(address), "https", [])
    with pytest.raises(Forbidden, match="plain http"):
        check_address(ipaddress.ip_address(address), "http", parse_networks(LOOPBACK))


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::ffff:127.0.0.1"])
def test_allow_private_opens_its_networks_only(address: str) -> None:
    check_address(ipaddress.ip_address(address), "http", parse_networks(LOOPBACK))
    with pytest.raises(Forbidden):
        check_address(ipaddress.ip_address("10.0.0.1"), "https", parse_networks(LOOPBACK))


def resolved(*addresses: str) -> str:
    async def resolver(_host: str, _port: int) -> list[str]:
        return list(addresses)

    return asyncio.run(checked_address("hook.example", 443, "https", (), resolver))


def test_every_address_of_a_name_must_be_public() -> None:
    assert resolved("93.184.216.34", "2606:2800:220:1::1") == "93.184.216.34"
    with pytest.raises(Forbidden, match=r"10\.0\.0\.1"):
        resolved("93.184.216.34", "10.0.0.1")
    with pytest.raises(OSError, match="no address"):
        resolved()


@pytest.mark.parametrize(
    ("url", "allowed", "message"),
    [
        ("http://example.org/hook", (), "plain http"),
        ("ftp://example.org/hook", (), "not like https"),
        ("example.org/hook", (), "not like https"),
        ("https:///hook", (), "not like https"),
        ("https://example.org:99999/", (), "not like https"),
        ("https://user:geheim@example.org/", (), "user or password"),
        ("https://10.0.0.1/", (), "not a public address"),
        ("http://10.0.0.1/", LOOPBACK, "plain http"),
        ("https://example.org/", ("10.0.0.1/8",), "no network"),
    ],
)
def test_a_wrong_url_is_refused_at_configuration(url: str, allowed: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as raised:
        check_url(url, allowed)
    assert "geheim" not in str(raised.value)


def test_secrets_are_checked() -> None:
    with pytest.raises(ConfigError, match="whsec_") as raised:
        check_endpoint(endpoint(secret="whsec_notbase64!"))
    assert "notbase64" not in str(raised.value)
    check_endpoint(endpoint())


def test_a_private_name_is_not_posted_to() -> None:
    asked: list[str] = []

    async def rebinding(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    async def work() -> str:
        poster = Poster(resolver=rebinding)
        outcome = await poster.post(Endpoint(id="e", url="https://hook.example/"), "msg_1", b"{}")
        await poster.close()
        return outcome.error

    assert "not a public address" in asyncio.run(work())
    assert asked == ["hook.example"]


def test_a_name_that_changes_its_answer_is_refused_though_a_connection_is_kept() -> None:
    answers = [["127.0.0.1"], ["10.0.0.1"]]

    async def rebinding(_host: str, _port: int) -> list[str]:
        return answers.pop(0)

    async def work() -> list[str]:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(asyncio.IncompleteReadError):
                while True:
                    head = await reader.readuntil(b"\r\n\r\n")
                    await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            writer.close()
            await writer.wait_closed()
            gone.set()

        gone = asyncio.Event()
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        url = f"http://hook.example:{server.sockets[0].getsockname()[1]}/"
        poster = Poster(resolver=rebinding)
        told = [(await poster.post(endpoint(url=url), f"msg_{i}", b"{}")).error for i in range(2)]
        await poster.close()
        await gone.wait()
        server.close()
        return told

    first, second = asyncio.run(work())
    assert first == ""
    assert "10.0.0.1" in second


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    async def work() -> int | None:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        poster = Poster()
        outcome = await poster.post(endpoint(url=f"http://127.0.0.1:{port}/"), "msg_1", b"{}")
        await poster.close()
        server.close()
        return outcome.status

    assert asyncio.run(work()) == 200


def test_tls_keeps_the_name_while_the_address_is_pinned(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is missing (Debian package openssl)")
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=hook.example",
            "-addext", "subjectAltName=DNS:hook.example", "-keyout", "key.pem", "-out", "cert.pem",
        ],
        cwd=tmp_path, check=True, capture_output=True,
    )
    names: list[str | None] = []
    hosts: list[bytes] = []

    async def work(name: str) -> tuple[int | None, str]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
        context.sni_callback = lambda _socket, server_name, _context: names.append(server_name)

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            hosts.append(next(x for x in head.split(b"\r\n") if x.lower().startswith(b"host:")))
            writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
            await writer.drain()
            writer.close()

        async def resolver(_host: str, _port: int) -> list[str]:
            return ["127.0.0.1"]

        server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        trusting = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
        poster = Poster(resolver=resolver, ssl_context=trusting)
        outcome = await poster.post(endpoint(url=f"https://{name}:{port}/x"), "msg_1", b"{}")
        await poster.close()
        server.close()
        return outcome.status, outcome.error

    status, error = asyncio.run(work("hook.example"))
    assert (status, error) == (204, "")
    assert names == ["hook.example"]
    assert hosts[0].startswith(b"Host: hook.example:")
    status, error = asyncio.run(work("other.example"))
    assert status is None
    assert "other.example" in error
    assert threading.active_count() >= 1


def test_retry_after_in_both_forms() -> None:
    assert retry_after_s("120", 0.0) == 120.0
    assert retry_after_s("Thu, 01 Jan 1970 00:01:00 GMT", 10.0) == 50.0
    assert retry_after_s("soon", 0.0) is None
    assert retry_after_s(None, 0.0) is None
