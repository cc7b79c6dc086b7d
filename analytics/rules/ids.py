"""Names of alerts made from what they are about, so that a repetition after a crash meets itself."""

import hashlib

import msgspec


def fingerprint(rule: str, station: str, device: str | None) -> str:
    """Return the name of a rule at a device (None: the whole station) for ever: 32 hexadecimal digits."""
    return _digest("fingerprint", rule, station, device)


def alert_id(rule: str, station: str, device: str | None, since_ms: int, repeat: int = 0) -> str:
    """Return the name of one episode: 32 hexadecimal digits.

    Parameters
    ----------
    rule, station, device
        As for `fingerprint`.
    since_ms
        Event time at which the condition began to hold.
    repeat
        How many earlier episodes began in the same millisecond.
    """
    return _digest("alert", rule, station, device, since_ms, repeat)


def transition_id(alert: str, number: int) -> str:
    """Return the name of the change `number` (from 0) of an alert: 32 hexadecimal digits."""
    return _digest("transition", alert, number)


def _digest(*parts: str | int | None) -> str:
    # JSON keeps the borders between parts, so ("ab", "c") and ("a", "bc") differ.
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:32]
