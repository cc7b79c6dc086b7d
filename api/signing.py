"""Signatures of Standard Webhooks 1.0."""

import base64
import binascii
import hashlib
import hmac
import secrets as randomness

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


def signature(secrets: str, message_id: str, timestamp_s: int, body: bytes) -> str:
    """Return `webhook-signature`: one `v1` part per secret.

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
