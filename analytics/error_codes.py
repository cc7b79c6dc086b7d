"""Error codes and stop reasons of many vocabularies as one taxonomy: class, cause, severity, remedy."""

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Literal

import msgspec

Cause = Literal["user", "vehicle", "charger", "grid", "network"]

LOCK = "connector_lock"
"""Class of failures of a connector's lock."""
_MREC = re.compile(r"^(mrec\d+)([a-z].*)?$")


class ErrorClass(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What codes of one meaning have in common."""

    name: str
    codes: tuple[str, ...]
    cause: Cause
    severity: Literal["info", "warning", "critical"]
    failure: bool = True
    """False: the code says that nothing is wrong."""
    en: str
    zh: str
    remedy_en: str
    remedy_zh: str

    def evidence(self) -> dict[str, str]:
        """Return what an alert tells of the code."""
        return {
            "error_class": self.name, "error_cause": self.cause, "error_severity": self.severity,
            "error_en": self.en, "error_zh": self.zh,
            "error_remedy_en": self.remedy_en, "error_remedy_zh": self.remedy_zh,
        }


@cache
def taxonomy() -> Mapping[str, ErrorClass]:
    """Return the classes by the plain form of each of their codes."""
    text = (files("analytics") / "error_codes.toml").read_text("utf-8")
    found: dict[str, ErrorClass] = {}
    for name, table in tomllib.loads(text).items():
        one = msgspec.convert({**table, "name": name}, ErrorClass)
        for code in one.codes:
            found[_plain(code)] = one
    return found


@cache
def error_class(code: str) -> ErrorClass | None:
    """Return the class of an error code or stop reason; None where it is in no vocabulary.

    Of a list with commas (vendor codes over OCPP 1.6) the first that is known and a failure speaks.
    """
    classes = [one for part in re.split(r"[,;|]", code) if (one := _single(part)) is not None]
    return next((one for one in classes if one.failure), classes[0] if classes else None)


def _single(code: str) -> ErrorClass | None:
    plain = _plain(code)
    mrec = _MREC.match(plain)
    if mrec is not None:
        return taxonomy().get(mrec[2] or "") or taxonomy().get(mrec[1])
    return taxonomy().get(plain)


def _plain(code: str) -> str:
    return re.sub(r"[\s_\-.]", "", code).lower()
