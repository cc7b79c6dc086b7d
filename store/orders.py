"""What a person asks of the running analytics role, as a file beside the roles' status: `roles/recompute.json`."""

from pathlib import Path

import msgspec


class Order(msgspec.Struct):
    """One order and its answer."""

    done: bool = False
    problem: str = ""
    """Why it was refused; empty when it was carried out."""


def ask(data: Path) -> None:
    """Ask for a recomputation."""
    _write(data, Order())


def is_asked(data: Path) -> bool:
    """Return whether an order waits."""
    order = read_order(data)
    return order is not None and not order.done


def answer(data: Path, problem: str = "") -> None:
    """Say that the order is done, or why not."""
    _write(data, Order(done=True, problem=problem))


def read_order(data: Path) -> Order | None:
    """Return the last order, None where there was none."""
    try:
        return msgspec.json.decode(_path(data).read_bytes(), type=Order)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def _path(data: Path) -> Path:
    return data / "roles" / "recompute.json"


def _write(data: Path, order: Order) -> None:
    new = _path(data).with_suffix(".json.new")
    new.parent.mkdir(parents=True, exist_ok=True)
    new.write_bytes(msgspec.json.encode(order))
    new.replace(_path(data))
