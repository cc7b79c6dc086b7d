import msgspec
from hypothesis import given
from hypothesis import strategies as st

from analytics.rules.lifecycle import AlertState, Change, advance, step
from analytics.rules.silence import SilenceSample, SilenceState, silence_advance, silence_step
from analytics.rules.types import Timing

WAIT = Timing(for_ms=5_000)
LIMITS = {"a": 60_000, "b": 60_000, "c": 90_000}
News = tuple[int, str, bool]


class Group:
    """A group with its alerts, as the engine keeps them."""

    def __init__(self) -> None:
        self.state = SilenceState()
        self.alerts: dict[str | None, AlertState] = {}
        self.told: list[tuple[str | None, Change]] = []

    def news(self, time_ms: int, device: str, offline: bool) -> None:
        self.state, samples = silence_step(self.state, device, time_ms, offline=offline, offline_after_ms=LIMITS)
        self.take(samples)

    def pass_time(self, to_ms: int) -> None:
        self.state, samples = silence_advance(self.state, to_ms, LIMITS)
        self.take(samples)
        for device in list(self.alerts):
            self.alerts[device], changes = advance(self.alerts[device], WAIT, to_ms)
            self.told += [(device, c) for c in changes]

    def take(self, samples: tuple[SilenceSample, ...]) -> None:
        for s in samples:
            self.alerts[s.device], changes = step(self.alerts.get(s.device, AlertState()), WAIT, s.sample)
            self.told += [(s.device, c) for c in changes]

    def short(self) -> list[tuple[str | None, str, int]]:
        return [(device, c.type.removeprefix("alert."), c.time_ms) for device, c in self.told]


def group(*news: News, until: int) -> Group:
    made = Group()
    for device in LIMITS:
        made.news(0, device, offline=False)
    for time_ms, device, offline in news:
        made.news(time_ms, device, offline)
    made.pass_time(until)
    return made


def test_one_silent_device_is_its_own_alert() -> None:
    made = group((100_000, "a", True), (200_000, "a", False), until=10**9)
    assert made.short() == [("a", "firing", 105_000), ("a", "resolved", 200_000)]
    assert made.told[0][1].since_ms == 100_000
    assert made.told[0][1].threshold == 60.0


def test_silent_together_is_one_alert_with_its_devices() -> None:
    made = group((100_000, "a", True), (101_000, "b", True), (104_999, "c", True), until=10**9)
    assert made.short() == [(None, "firing", 109_999)]
    assert made.told[0][1].evidence == {"devices": ["a", "b", "c"]}


def test_after_the_first_return_the_others_have_their_limit_again() -> None:
    silent: tuple[News, ...] = ((100_000, "a", True), (100_000, "b", True), (100_000, "c", True))
    made = group(*silent, (200_000, "a", False), (230_000, "b", False), (290_000, "c", False), until=10**9)
    assert made.short() == [(None, "firing", 105_000), (None, "resolved", 200_000)]
    made = group(*silent, (200_000, "a", False), (230_000, "b", False), until=10**9)
    assert made.short()[2:] == [("c", "firing", 295_000)]


def test_an_alert_that_fired_before_the_station_fell_silent_goes_on() -> None:
    made = group((50_000, "a", True), (100_000, "b", True), (100_000, "c", True), (200_000, "b", False),
                 (210_000, "c", False), (220_000, "a", False), until=10**9)
    assert made.short() == [
        ("a", "firing", 55_000), (None, "firing", 105_000), (None, "resolved", 200_000), ("a", "resolved", 220_000),
    ]


def test_news_that_are_known_change_nothing() -> None:
    made = group((100_000, "a", True), until=1_000_000)
    before = made.state
    made.news(2_000_000, "a", offline=True)
    assert made.state == before


NEWS = st.lists(st.tuples(st.integers(0, 40_000), st.sampled_from(sorted(LIMITS)), st.booleans()), max_size=30)


@given(NEWS, st.data())
def test_passing_time_and_restarting_in_between_do_not_matter(
    steps: list[tuple[int, str, bool]], data: st.DataObject
) -> None:
    plain, other, now = Group(), Group(), 0
    for gap, device, offline in steps:
        for to_ms in sorted(data.draw(st.lists(st.integers(now, now + gap), max_size=2))):
            other.pass_time(to_ms)
        if data.draw(st.booleans()):
            other.state = msgspec.msgpack.decode(msgspec.msgpack.encode(other.state), type=SilenceState)
        now += gap
        plain.news(now, device, offline)
        other.news(now, device, offline)
    plain.pass_time(10**9)
    other.pass_time(10**9)
    # Alerts of different devices have no order among each other.
    assert sorted(plain.short(), key=repr) == sorted(other.short(), key=repr)


@given(NEWS)
def test_whoever_is_offline_for_long_is_told(steps: list[tuple[int, str, bool]]) -> None:
    made, now = Group(), 0
    for gap, device, offline in steps:
        now += gap
        made.news(now, device, offline)
    made.pass_time(10**9)
    firing = {device for device, alert in made.alerts.items() if alert.phase == "firing"}
    silent = {device for device, since in made.state.offline.items() if since is not None}
    assert firing - {None} <= silent
    assert (None in firing) == made.state.together
    assert made.state.together or firing == silent
