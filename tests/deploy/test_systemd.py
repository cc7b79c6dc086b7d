"""The unit as systemd itself reads it."""

import shutil
import subprocess
from pathlib import Path

import pytest
from test_tree import ROOT

UNIT = ROOT / "deploy" / "systemd" / "voltair.service"


def verify(text: str, folder: Path) -> str:
    unit = folder / "voltair.service"
    unit.write_text(text, "utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )
    return "\n".join(line for line in done.stderr.splitlines() if "voltair.service" in line)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs the Debian package systemd")
def test_systemd_takes_every_line_of_the_unit(tmp_path: Path) -> None:
    text = UNIT.read_text("utf-8").replace("/opt/voltair/bin/voltair", "/bin/true")  # it wants the program there
    assert verify(text, tmp_path) == ""
    assert "ProtectSystemm" in verify(text.replace("ProtectSystem=", "ProtectSystemm="), tmp_path)
