import math
from zoneinfo import ZoneInfo

import pytest

from analytics.rules.texts import PLACEHOLDERS, fill, number, placeholders_of
from analytics.rules.types import Texts


def filled(texts: Texts) -> dict[str, str]:
    return fill(
        texts, station="Isle", device=None, value=0.1834, threshold=0.15, unit="1", since_ms=1732240000123,
        zone=ZoneInfo("Asia/Shanghai"), evidence={"devices": ["c1", "c2"]},
    )


def test_names_and_numbers_stand_in_the_text() -> None:
    texts = Texts(en="{station}: {value_pct} % > {threshold_pct} % since {since}", zh="{count} 台：{devices}")
    assert filled(texts) == {
        "en": "Isle: 18.3 % > 15 % since 2024-11-22 09:46:40", "zh": "2 台：c1, c2",
    }


def test_every_placeholder_is_filled() -> None:
    every = " ".join("{" + name + "}" for name in sorted(PLACEHOLDERS))
    assert placeholders_of(every) == PLACEHOLDERS
    assert "{" not in filled(Texts(en=every, zh=every))["en"]


@pytest.mark.parametrize(("value", "text"), [
    (0.0, "0"), (0.12, "0.12"), (0.12345, "0.123"), (100.0, "100"), (99.96, "100"), (-3.25, "-3.25"),
    (123456.7, "123457"), (0.00012345, "0.000123"), (None, "–"), (math.nan, "–"),
])
def test_numbers_for_people(value: float | None, text: str) -> None:
    assert number(value) == text
