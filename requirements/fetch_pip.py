"""Fetch the locked pip as a wheel, for a Python without ensurepip (Debian without python3-venv).

Usage: python fetch_pip.py LOCK FOLDER; prints the path of the wheel. Standard library only.
"""

import hashlib
import json
import os
import re
import ssl
import sys
import urllib.request
from pathlib import Path
from urllib.parse import urljoin

_SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"


def main(lock: Path, folder: Path) -> None:
    """Download the wheel whose version and hash the lock names."""
    pinned = r"^pip==(\S+)((?: \\\n    --hash=sha256:[0-9a-f]{64})+)"
    entry = re.search(pinned, lock.read_text("utf-8"), re.MULTILINE)
    if entry is None:
        sys.exit(f"{lock} names no pip; make it again with ./dev lock")
    version, allowed = entry[1], set(re.findall(r"sha256:([0-9a-f]{64})", entry[2]))
    index = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple").rstrip("/") + "/pip/"
    context = ssl.create_default_context(cafile=os.environ.get("PIP_CERT"))
    request = urllib.request.Request(index, headers={"Accept": _SIMPLE_JSON})  # noqa: S310 - the user's index
    with urllib.request.urlopen(request, timeout=60, context=context) as answer:  # noqa: S310 - as above
        files = json.load(answer)["files"]
    name = f"pip-{version}-py3-none-any.whl"
    url = next((urljoin(index, file["url"]) for file in files if file["filename"] == name), None)
    if url is None:
        sys.exit(f"{index} does not offer {name}")
    with urllib.request.urlopen(url, timeout=120, context=context) as answer:  # noqa: S310 - as above
        wheel = answer.read()
    found = hashlib.sha256(wheel).hexdigest()
    if found not in allowed:
        sys.exit(f"{url} has sha256 {found}, which {lock} does not allow")
    target = folder / name
    target.write_bytes(wheel)
    print(target)  # noqa: T201 - the answer to the calling script


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
