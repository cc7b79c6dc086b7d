"""docs/metrics.md names every metric of a running Voltair, and no other."""

import re
from pathlib import Path

import pytest
from river.stack import Stack

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


@pytest.mark.server
def test_the_page_lists_what_is_there(river: Stack) -> None:
    answer = river.client.get("/metrics").text
    exposed = {n for n in re.findall(r"^# TYPE (\w+) \w+", answer, re.MULTILINE) if "sparkplug" not in n}
    listed = re.findall(r"^\| `(voltair_\w+)", PAGE.read_text("utf-8"), re.MULTILINE)
    assert len(listed) == len(set(listed))
    assert not exposed - set(listed), sorted(exposed - set(listed))
    assert not set(listed) - exposed, sorted(set(listed) - exposed)
