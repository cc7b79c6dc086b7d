"""Session ids as keyed hashes: what stands for a stay, or a driver's card, is not told to whoever reads the data."""

import hashlib
import hmac

import numpy as np
from numpy.typing import NDArray

from telemetry.channels import Kind
from telemetry.frame import NO_CODE

DIGITS = 32
"""Hexadecimal digits kept of the hash: 128 bits."""


def pseudonym(key: str, session_id: str) -> str:
    """Return what stands for a session id: HMAC-SHA256 under the key, shortened; nothing stands for nothing.

    Without the key nobody can try ids until one fits, as with a plain hash of short numbers.
    """
    if not session_id:
        return ""
    return hmac.new(key.encode(), session_id.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:DIGITS]


def hide_sessions(kind: Kind, codes: NDArray[np.int32], texts: tuple[str, ...], key: str) -> tuple[str, ...]:
    """Put pseudonyms in place of the session ids of a frame, and return its dictionary without the ids.

    Parameters
    ----------
    codes
        (n, len(kind.codes)); changed in place.
    texts
        What the codes of text channels stand for.
    """
    session = kind.code_index.get("session_id")
    if session is None or not texts:
        return texts
    kept: dict[str, int] = {}
    for column in (i for i, c in enumerate(kind.codes) if not c.states):
        places = np.full(len(texts) + 1, NO_CODE, np.int32)
        for code in np.unique(codes[:, column]).tolist():
            if code != NO_CODE:
                text = pseudonym(key, texts[code]) if column == session else texts[code]
                places[code] = kept.setdefault(text, len(kept))
        # The last place is that of NO_CODE.
        codes[:, column] = places[codes[:, column]]
    return tuple(kept)
