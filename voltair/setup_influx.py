"""`voltair init` on an InfluxDB: databases or buckets with their retention, and a login for Grafana that only reads.

What is there already is kept: a retention is widened where it would refuse readings, never narrowed, for that removes
data. Administrator's rights come from `VOLTAIR_INFLUX_ADMIN` (1.x `name:password`, 2.x a token), else from
store.influx.
"""

import os
import secrets
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
from urllib3.exceptions import HTTPError

from store.influx_http import go_duration_ms, query
from telemetry.config import Config, InfluxConfig
from telemetry.errors import StoreError, StoreUnavailable

ADMIN = "VOLTAIR_INFLUX_ADMIN"
GRAFANA = "grafana"
"""User (1.x) that may only read."""
GRAFANA_SECRET = "grafana-influx.secret"  # noqa: S105 - a file name
TOKEN = "influx.token"  # noqa: S105 - a file name
_MINE, _READS = "Voltair: writes and reads its buckets", "Voltair: Grafana reads"


def set_up(config: Config, folder: Path, environ: Mapping[str, str] | None = None) -> Iterator[str]:
    """Make what is missing in the configured InfluxDB; yield what was done.

    Parameters
    ----------
    folder
        Where passwords and tokens that are made go, each into a file that only its owner reads.

    Raises
    ------
    StoreError
        If the server does not answer or refuses.
    """
    admin = (os.environ if environ is None else environ).get(ADMIN, "")
    # In event mode the server's clock is not the stations': its retention would remove a replayed year at once.
    keep_ms = config.keep_raw_ms if config.clock.mode == "live" else None
    if config.store.influx.version == 1:
        yield from _databases(config.store.influx, keep_ms, admin, folder)
    elif config.store.influx.version == 2:
        yield from _buckets(config.store.influx, keep_ms, admin, folder)
    else:
        yield "InfluxDB 3 makes databases with the first write; set retention with its own command line"


def _secret(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


# ---- 1.x


def _databases(influx: InfluxConfig, keep_ms: int | None, admin: str, folder: Path) -> Iterator[str]:
    name, _, password = admin.partition(":")
    login = msgspec.structs.replace(influx, username=name, password=password) if admin else influx

    def run(statement: str) -> list[dict[str, Any]]:
        return query(login, "", statement)

    there = {row[0] for series in run("SHOW DATABASES") for row in series.get("values", [])}
    raw = f"{influx.database}_raw"
    for database, wanted_ms in ((influx.database, None), (raw, keep_ms)):
        span = f"{wanted_ms // 1000}s" if wanted_ms else "INF"
        if database not in there:
            run(f'CREATE DATABASE "{database}" WITH DURATION {span}')
            yield f"made database {database}, retention {span}"
            continue
        for policy in _policies(run(f'SHOW RETENTION POLICIES ON "{database}"')):
            kept_ms = go_duration_ms(policy["duration"])
            if policy.get("default") and kept_ms and (wanted_ms is None or kept_ms < wanted_ms):
                run(f'ALTER RETENTION POLICY "{policy["name"]}" ON "{database}" DURATION {span}')
                yield f"widened retention of {database} from {policy['duration']} to {span}"
    users = {row[0] for series in run("SHOW USERS") for row in series.get("values", [])}
    if GRAFANA not in users:
        word = secrets.token_urlsafe(24)
        run(f"CREATE USER \"{GRAFANA}\" WITH PASSWORD '{word}'")
        _secret(folder / GRAFANA_SECRET, word)
        yield f"made user {GRAFANA}, which may only read; its password is in {folder / GRAFANA_SECRET}"
    for database in (influx.database, raw):
        run(f'GRANT READ ON "{database}" TO "{GRAFANA}"')


def _policies(found: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for series in found:
        for row in series["values"]:
            yield dict(zip(series["columns"], row, strict=True))


# ---- 2.x


def _buckets(influx: InfluxConfig, keep_ms: int | None, admin: str, folder: Path) -> Iterator[str]:
    # A second of imports, which only who has a 2.x should wait for; the package is typed in part only.
    package: Any = import_module("influxdb_client")
    refusal: type[Exception] = import_module("influxdb_client.rest").ApiException
    try:
        with package.InfluxDBClient(influx.url, token=admin or influx.token, org=influx.org) as client:
            yield from _with_client(package, client, influx, keep_ms, folder)
    except refusal as refused:
        error: Any = refused
        msg = (
            f"InfluxDB {influx.url} refuses ({error.status}: {error.message or error.reason}); put a token that may "
            f"make buckets, mappings and tokens of {influx.org!r} into {ADMIN}"
        )
        raise StoreError(msg) from refused
    except (HTTPError, OSError) as error:
        msg = f"InfluxDB {influx.url} does not answer ({error}); start it, or correct store.influx.url"
        raise StoreUnavailable(msg) from error


def _with_client(
    package: Any, client: Any, influx: InfluxConfig, keep_ms: int | None, folder: Path
) -> Iterator[str]:
    org = next((org for org in client.organizations_api().find_organizations(org=influx.org)), None)
    if org is None:
        msg = f"InfluxDB {influx.url} has no organisation {influx.org!r}; correct store.influx.org"
        raise StoreError(msg)
    mappings = package.DBRPsService(client.api_client)
    mapped = {one.database for one in mappings.get_dbr_ps(org_id=org.id).content}
    buckets = []
    for name, wanted_ms in ((influx.bucket, None), (f"{influx.bucket}_raw", keep_ms)):
        wanted_s = (wanted_ms or 0) // 1000
        rules = [package.BucketRetentionRules(type="expire", every_seconds=wanted_s)]
        span = f"{wanted_s} s" if wanted_s else "for ever"
        bucket = client.buckets_api().find_bucket_by_name(name)
        if bucket is None:
            bucket = client.buckets_api().create_bucket(bucket_name=name, org=org, retention_rules=rules)
            yield f"made bucket {name}, which keeps {span}"
        kept_s = next((rule.every_seconds for rule in bucket.retention_rules), 0)
        if kept_s and (not wanted_s or kept_s < wanted_s):
            bucket.retention_rules = rules
            bucket = client.buckets_api().update_bucket(bucket)
            yield f"widened retention of {name} from {kept_s} s to {span}"
        if name not in mapped:
            mappings.post_dbrp(package.DBRPCreate(
                org_id=org.id, bucket_id=bucket.id, database=name, retention_policy="autogen", default=True,
            ))  # fmt: skip
            yield f"mapped InfluxQL database {name} to its bucket"
        buckets.append(bucket)
    yield from _tokens(package, client, org, buckets, folder)


def _tokens(package: Any, client: Any, org: Any, buckets: list[Any], folder: Path) -> Iterator[str]:
    there = {one.description for one in client.authorizations_api().find_authorizations(org_id=org.id)}
    for description, actions, file, use in (
        (_MINE, ("read", "write"), TOKEN, "set store.influx.token_file to it"),
        (_READS, ("read",), GRAFANA_SECRET, "for Grafana, which may only read"),
    ):
        if description in there:
            continue
        permissions = [
            package.Permission(
                action=action, resource=package.PermissionResource(type="buckets", id=bucket.id, org_id=org.id)
            )
            for bucket in buckets for action in actions
        ]  # fmt: skip
        made = client.authorizations_api().create_authorization(
            authorization=package.Authorization(org_id=org.id, permissions=permissions, description=description)
        )
        _secret(folder / file, made.token)
        yield f"made a token in {folder / file}: {use}"
