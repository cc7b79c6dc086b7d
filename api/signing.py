"""Signatures of Standard Webhooks 1.0."""

import base64
import binascii
import hashlib
import hmac
import secrets as randomness
from urllib.parse import urlencode

import msgspec

from telemetry.errors import ConfigError


def secret_key(secret: str) -> bytes:
    """Return the key of a secret like `whsec_...`.

    Raises
    ------
    ConfigError
        If the part behind `whsec_` is not base64; the message does not hold the secret.
    """
    text = secret.removeprefix("whsec_")
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        msg = f"the webhook's secret is not whsec_ and base64; here is a new one: {new_secret()}"
        raise ConfigError(msg)
    return key


def new_secret() -> str:
    """Return a fresh secret."""
    return "whsec_" + base64.b64encode(randomness.token_bytes(32)).decode()


ROBOT_SIGNED = ("dingtalk", "feishu")
"""Formats whose robots have a secret and a signature of their own."""


def signature(secrets: str, message_id: str, timestamp_s: int, body: bytes) -> str:
    """Return `webhook-signature`: one `v1` part per secret; "" where there is none.

    Parameters
    ----------
    secrets
        Secrets like `whsec_...`, separated by spaces (two while a secret is being changed).
    message_id, timestamp_s, body
        What is signed, joined by full stops.
    """
    message = f"{message_id}.{timestamp_s}.".encode() + body
    return " ".join(
        "v1," + base64.b64encode(hmac.new(secret_key(s), message, hashlib.sha256).digest()).decode()
        for s in secrets.split()
    )


def webhook_secrets(format_: str, secrets: str) -> str:
    """Return those of an endpoint's secrets that sign Standard Webhooks: of some formats not the robot's."""
    if format_ not in ROBOT_SIGNED:
        return secrets
    return " ".join(s for s in secrets.split() if s.startswith("whsec_"))


def robot_secret(secrets: str) -> str:
    """Return the robot's secret: the first that is none of ours, else the first; "" where there is none."""
    given = secrets.split()
    return next((s for s in given if not s.startswith("whsec_")), given[0] if given else "")


def dingtalk_query(secret: str, time_ms: int) -> str:
    r"""Return what a signed DingTalk robot wants behind its URL: `timestamp` and `sign`.

    The signature is HMAC-SHA256 of `timestamp + "\n" + secret` under the secret, in base64, escaped for a URL.
    """
    digest = hmac.new(secret.encode(), f"{time_ms}\n{secret}".encode(), hashlib.sha256).digest()
    return urlencode({"timestamp": time_ms, "sign": base64.b64encode(digest).decode()})


def feishu_signed(secret: str, time_s: int, body: bytes) -> bytes:
    r"""Return a body with what a signed Feishu robot wants in it: `timestamp` and `sign`.

    The signature is HMAC-SHA256 of nothing under the key `timestamp + "\n" + secret`, in base64.
    """
    digest = hmac.new(f"{time_s}\n{secret}".encode(), b"", hashlib.sha256).digest()
    members = {"timestamp": str(time_s), "sign": base64.b64encode(digest).decode()}
    return msgspec.json.encode({**members, **msgspec.json.decode(body)})
