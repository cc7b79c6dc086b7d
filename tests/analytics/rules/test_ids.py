import re

from analytics.rules.ids import alert_id, fingerprint, transition_id


def test_names_stay_what_they_are() -> None:
    # Changing these would tell every open alert a second time after an upgrade.
    assert fingerprint("port_faulted", "harbour", "p001") == "26ce40767dce31ea619eeb56089f836c"
    assert alert_id("port_faulted", "harbour", "p001", 1732240000123) == "5e4f9c42bf6c473856383f3c9655b657"
    assert transition_id("0" * 32, 1) == "933d222b1b4f074219ba95d747f6170b"


def test_every_part_counts() -> None:
    names = {
        alert_id("a", "b", "c", 1), alert_id("ab", "", "c", 1), alert_id("a", "b", None, 1),
        alert_id("a", "b", "c", 2), alert_id("a", "b", "c", 1, 1), fingerprint("a", "b", "c"),
        fingerprint("a", "b", None), fingerprint("a", "b", ""), transition_id("a", 0), transition_id("a", 1),
    }
    assert len(names) == 10
    assert all(re.fullmatch("[0-9a-f]{32}", name) for name in names)
