"""Packages that are installed only by those who need them."""

from typing import Any

from telemetry.errors import ConfigError


def load_pyarrow() -> tuple[Any, Any]:
    """Return the modules `pyarrow` and `pyarrow.parquet`.

    Raises
    ------
    ConfigError
        If pyarrow is not installed.
    """
    try:
        import pyarrow  # noqa: PLC0415 - optional, and slow to import
        import pyarrow.parquet  # noqa: PLC0415
    except ImportError as error:
        msg = "Parquet needs the Python package pyarrow: pip install 'voltair[parquet]'"
        raise ConfigError(msg) from error
    return pyarrow, pyarrow.parquet
