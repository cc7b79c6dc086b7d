"""docs/metrics.md names every metric of a running Voltair, and no other."""

import re
from pathlib import Path

import pytest
from river.stack import Stack

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


@pytest.mark.server
def test_the_page_lists_what_is_there(river: Stack) -> None:
    exposed = set(re.findall(r"^# TYPE (\w+) \w+", river.client.get("/metrics").text, re.MULTILINE))
    listed = re.findall(r"^\| `(voltair_\w+)", PAGE.read_text("utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted(exposed)
