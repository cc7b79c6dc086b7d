"""How the C library gives memory back: arrays come and go, and a page given back is cleared again a moment later."""

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT_BYTES = 128 * 1024 * 1024
"""Free memory at the heap's end that stays."""
_ON_HEAP_BYTES = 32 * 1024 * 1024
"""Smaller blocks come from the heap; the most that glibc takes."""


def keep_pages() -> None:
    """Keep freed memory for the next arrays; nothing happens where the C library is not glibc."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
        mallopt(_M_MMAP_THRESHOLD, _ON_HEAP_BYTES)
