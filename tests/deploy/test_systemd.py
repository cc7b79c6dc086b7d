"""The units as systemd itself reads them."""

import shutil
import subprocess
from pathlib import Path

import pytest
from test_tree import ROOT

FOLDER = ROOT / "deploy" / "systemd"
UNITS = ("voltair.service", "voltair@.service")


def verify(text: str, folder: Path, name: str) -> str:
    unit = folder / name
    unit.write_text(text, "utf-8")
    asked = str(unit).replace("@.", "@ingest.")
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", asked], capture_output=True, text=True, check=False)
    return "\n".join(line for line in done.stderr.splitlines() if "voltair" in line)


@pytest.mark.parametrize("name", UNITS)
@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs the Debian package systemd")
def test_systemd_takes_every_line_of_the_unit(name: str, tmp_path: Path) -> None:
    text = (FOLDER / name).read_text("utf-8").replace("/opt/voltair/bin/voltair", "/bin/true")  # it wants the program
    assert verify(text, tmp_path, name) == ""
    assert "ProtectSystemm" in verify(text.replace("ProtectSystem=", "ProtectSystemm="), tmp_path, name)


def test_both_units_protect_the_machine_alike() -> None:
    one, other = ((FOLDER / name).read_text("utf-8").partition("NoNewPrivileges")[2] for name in UNITS)
    assert one == other
