"""The live stream: the whole picture on connect, then what changed, and nothing twice."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from api.hub import Hub, Message, Picture, changes


def station(name: str, **item: Any) -> dict[str, Any]:
    return {"station": {"station": name, "now": "t", **item}, "kpis": {}}


def alert(id_: str, state: str = "firing", where: str = "harbour") -> dict[str, Any]:
    return {"id": id_, "state": state, "station": where}


def picture(power_kw: float = 1.0, **alerts: str) -> Picture:
    return Picture(
        {"harbour": station("harbour"), "isle": station("isle")},
        {"harbour": {("port", d): {"device": d, "power_kw": power_kw} for d in ("p1", "p2")}, "isle": {}},
        {id_: alert(id_, state) for id_, state in alerts.items()},
    )


def shown(messages: list[Message]) -> list[tuple[str, str | None]]:
    return [(m.name, m.station) for m in messages]


def test_only_what_changed_is_sent() -> None:
    assert changes(picture(), picture()) == []
    new = picture()
    new.stations["isle"]["station"]["now"] = "later"
    assert changes(picture(), new) == []
    new.stations["isle"]["station"]["health"] = "red"
    new.devices["harbour"]["port", "p2"]["power_kw"] = 2.0
    found = changes(picture(), new)
    assert shown(found) == [("device", "harbour"), ("kpi", "isle")]
    assert json.loads(found[0].text)["devices"] == [{"device": "p2", "power_kw": 2.0}]


def test_alerts_begin_and_end_even_when_too_many_end_at_once() -> None:
    found = changes(picture(a="firing", b="firing", c="firing"), picture(a="resolved", b="firing", d="firing"))
    assert [(json.loads(m.text)["id"], json.loads(m.text)["state"]) for m in found] == [
        ("a", "resolved"), ("d", "firing"), ("c", "resolved")
    ]


def run_hub(pictures: list[Picture], sees: Any, steps: int) -> list[tuple[str, str | None]]:
    async def work() -> list[tuple[str, str | None]]:
        left = list(pictures)
        hub = Hub(lambda: left.pop(0) if len(left) > 1 else left[0], version="1", demo=True)
        task = asyncio.create_task(hub.run())
        got = []
        stream: AsyncIterator[Message] = hub.listen(sees)
        async with asyncio.timeout(10):
            async for message in stream:
                got.append((message.name, message.station))
                if len(got) == steps:
                    hub.wake()
                    break
        await stream.aclose()  # type: ignore[attr-defined]  # an async generator has it
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return got

    return asyncio.run(work())


def test_the_whole_picture_comes_first() -> None:
    got = run_hub([picture(a="firing", b="resolved"), picture(2.0, a="resolved")], lambda _: True, 8)
    assert got == [
        ("hello", None), ("kpi", "harbour"), ("device", "harbour"), ("kpi", "isle"), ("device", "isle"),
        ("alert", "harbour"), ("device", "harbour"), ("alert", "harbour"),
    ]


def test_a_client_sees_its_stations_only() -> None:
    new = picture(2.0, a="resolved")
    new.stations["isle"]["station"]["health"] = "red"
    got = run_hub([picture(a="firing"), new], lambda s: s == "isle", 4)
    assert got == [("hello", None), ("kpi", "isle"), ("device", "isle"), ("kpi", "isle")]


def test_a_slow_client_gets_the_whole_picture_anew() -> None:
    async def work() -> list[str]:
        hub = Hub(picture, version="1", demo=False)
        stream = hub.listen(lambda _: True)
        names = [(await anext(stream)).name]
        for _ in range(200):
            hub._send([Message("device", "{}", "harbour")])
        names += [(await anext(stream)).name for _ in range(4)]
        while names[-1] != "hello":
            names.append((await anext(stream)).name)
        hub.close()
        names += [m.name async for m in stream]
        return names

    names = asyncio.run(work())
    assert names.count("hello") == 2
    assert names.count("device") < 100


def test_closing_ends_the_streams() -> None:
    async def work() -> int:
        hub = Hub(picture, version="1", demo=False)
        count = 0
        async for _ in hub.listen(lambda _: True):
            count += 1
            hub.close()
        return count

    assert asyncio.run(work()) >= 1
