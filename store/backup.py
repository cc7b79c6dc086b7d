"""Backup and restore of a data directory, while its roles run.

desk.db and state.db are copied first and the journal last: whatever they stand on is in the journal that is copied,
so after a restore every consumer goes on from its own cursor and meets what it has done by its ids. The series store
may be ahead of the copied state; its cursor over derived rows is then set back, and the same rows are written again.
"""

import hashlib
import io
import os
import shutil
import sqlite3
import tarfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from importlib.metadata import version
from pathlib import Path

import msgspec

from store.deadletters import FILE as LETTERS
from store.roles import ROLES, RoleLock, wall_ms
from store.segments import segment_files
from store.sqlite import connect
from telemetry.errors import StoreError

FORMAT = 1
MANIFEST = "manifest.json"
_STATES = ("desk.db", "state.db", "series.db")
"""In the order in which they are copied."""
_SESSION = Path("roles") / "ingest-subscriptions.json"


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup holds."""

    format: int
    voltair: str
    """Version that made it."""
    made_ms: int
    journal_id: str
    sha256: dict[str, str]
    """File in the data directory -> checksum of its copy."""


def backup(data: Path, target: Path) -> Manifest:
    """Copy a data directory, in use or not, into one tar file, which appears when it is complete.

    Only its owner may read it: it holds the secrets of webhooks. A backup that was killed leaves `{target}.part` and
    `{target}.parts`; the next one to the same target takes them away.

    Raises
    ------
    StoreError
        If there is no journal yet, the target exists, or a file cannot be copied.
    """
    if target.exists():
        msg = f"{target} exists; name another file, a backup is never overwritten"
        raise StoreError(msg)
    if not segment_files(data / "journal"):
        msg = f"{data} holds no journal; see data_dir in voltair.toml"
        raise StoreError(msg)
    sums: dict[str, str] = {}
    journal_id = ""
    unfinished = target.with_name(target.name + ".part")
    staging = target.with_name(target.name + ".parts")
    try:
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(mode=0o700)
        unfinished.unlink(missing_ok=True)
        unfinished.touch(mode=0o600)
        with tarfile.open(unfinished, "w") as tar:
            for name, source in _sources(data):
                copy = staging / Path(name).name
                with closing(sqlite3.connect(copy)) as into:
                    source.backup(into)  # one snapshot; the role goes on writing
                    if name.startswith("journal/") and Path(name).stem.isdigit():
                        journal_id = into.execute("SELECT value FROM meta WHERE key = 'journal_id'").fetchone()[0]
                sums[name] = _sha256(copy)
                tar.add(copy, name)
                copy.unlink()
            if (data / _SESSION).exists():
                sums[str(_SESSION)] = _sha256(data / _SESSION)
                tar.add(data / _SESSION, str(_SESSION))
            manifest = Manifest(
                format=FORMAT, voltair=version("voltair"), made_ms=wall_ms(), journal_id=journal_id, sha256=sums
            )
            body = msgspec.json.format(msgspec.json.encode(manifest))
            entry = tarfile.TarInfo(MANIFEST)
            entry.size, entry.mtime = len(body), time.time()
            tar.addfile(entry, io.BytesIO(body))
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        unfinished.rename(target)
    except (OSError, sqlite3.Error) as error:
        unfinished.unlink(missing_ok=True)
        msg = f"{data} cannot be copied to {target}: {error}; see free space and rights there"
        raise StoreError(msg) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return manifest


def _sources(data: Path) -> Iterator[tuple[str, sqlite3.Connection]]:
    """Yield each file and a connection to it, in the order in which they must be copied.

    Segments are opened before anything is copied: one that retention unlinks meanwhile is still needed by the state.
    """
    with ExitStack() as stack:
        opened = {path: _open(path, stack) for _, path in segment_files(data / "journal")}
        for name in _STATES:
            if (data / name).exists():
                yield name, _open(data / name, stack)
        while opened:
            path, db = next(iter(opened.items()))
            yield f"journal/{path.name}", db
            del opened[path]
            if not opened:
                # The open segment may have been closed, and others begun, since the list was made.
                later = [p for _, p in segment_files(data / "journal") if p > path]
                opened = {p: _open(p, stack) for p in later}
        letters = data / "journal" / LETTERS
        if letters.exists():
            yield f"journal/{LETTERS}", _open(letters, stack)


def _open(path: Path, stack: ExitStack) -> sqlite3.Connection:
    db = stack.enter_context(closing(connect(path, read_only=True)))
    db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    return db


def restore(source: Path, data: Path) -> Manifest:
    """Unpack a backup as a new data directory, which appears when it is complete and checked.

    Raises
    ------
    StoreError
        If the directory already holds something, or the backup is damaged or of a later version.
    RoleLocked
        If a role runs on the directory.
    """
    if data.exists() and any(p for p in data.iterdir() if p.name != "roles"):
        msg = f"{data} is not empty; move it away first, a restore never overwrites"
        raise StoreError(msg)
    unfinished = data.with_name(data.name + ".restoring")
    shutil.rmtree(unfinished, ignore_errors=True)
    with ExitStack() as stack:
        if data.exists():
            for role in ROLES:
                stack.enter_context(RoleLock(data, role))
        try:
            manifest = _unpack(source, unfinished)
            _set_back(unfinished)
        except StoreError:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
        unfinished.chmod(0o700)
        shutil.rmtree(data, ignore_errors=True)
        unfinished.rename(data)
    return manifest


def _unpack(source: Path, folder: Path) -> Manifest:
    """Unpack into a folder and check every file."""
    try:
        with tarfile.open(source) as tar:
            tar.extractall(folder, filter="data")
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
        damaged = [name for name, expected in manifest.sha256.items() if _sha256(folder / name) != expected]
    except (OSError, tarfile.TarError, msgspec.DecodeError) as error:
        msg = f"{source} is no complete backup of Voltair ({error}); use another one"
        raise StoreError(msg) from error
    if manifest.format > FORMAT:
        msg = f"{source} was made by Voltair {manifest.voltair} in a form unknown here; restore it with that version"
        raise StoreError(msg)
    if damaged:
        msg = f"{source} is damaged (wrong checksum of {', '.join(damaged)}); use another backup"
        raise StoreError(msg)
    (folder / MANIFEST).unlink()
    return manifest


def _set_back(folder: Path) -> None:
    """Let the writer ship again what it had shipped of rows that the copied state has yet to make."""
    if not ((folder / "series.db").exists() and (folder / "state.db").exists()):
        return
    with closing(connect(folder / "state.db")) as state:
        row = state.execute("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'").fetchone()
    with closing(connect(folder / "series.db", durable=True)) as series:
        series.execute(
            "UPDATE meta SET value = min(value, ?) WHERE key = 'derived_cursor'", (0 if row is None else row[0],)
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
