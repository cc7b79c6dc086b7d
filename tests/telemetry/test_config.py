"""voltair.toml: what follows from what is set."""

from pathlib import Path

import pytest

from telemetry.config import load_config
from telemetry.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "prefix", "topics"),
    [
        ("", "voltair/v1", ["voltair/v1/+/+/+/telemetry", "voltair/v1/+/+/+/online"]),
        ('prefix = "acme/v1"', "acme/v1", ["acme/v1/+/+/+/telemetry", "acme/v1/+/+/+/online"]),
        ('topics = ["acme/v1/+/+/+/telemetry", "plc/#"]', "acme/v1", ["acme/v1/+/+/+/telemetry", "plc/#"]),
        ('topics = ["$share/g/a/+/+/+/online"]', "a", ["$share/g/a/+/+/+/online"]),
        ('topics = ["voltair/v1/isle/+/+/telemetry"]', "voltair/v1", ["voltair/v1/isle/+/+/telemetry"]),
        ('prefix = "b"\ntopics = ["a/+/+/+/telemetry"]', "b", ["a/+/+/+/telemetry"]),
    ],
)
def test_prefix_and_topics_follow_each_other(text: str, prefix: str, topics: list[str], tmp_path: Path) -> None:
    (tmp_path / "voltair.toml").write_text(f"[mqtt]\n{text}\n")
    mqtt = load_config(tmp_path / "voltair.toml", {}).mqtt
    assert (mqtt.prefix, list(mqtt.topics)) == (prefix, topics)


@pytest.mark.parametrize(
    ("topics", "words"),
    [
        ('["$share/g/a", "a"]', "mixes"),
        ('["$share/g/a", "$share/h/a"]', "mixes"),
        ('["$share/g"]', r"not like \$share"),
    ],
)
def test_shared_and_plain_topics_do_not_mix(topics: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "voltair.toml").write_text(f"[mqtt]\ntopics = {topics}\n")
    with pytest.raises(ConfigError, match=words):
        load_config(tmp_path / "voltair.toml")


@pytest.mark.parametrize("url", ["grafana.example", "ftp://grafana.example", "javascript:alert(1)", "http://"])
def test_the_address_of_grafana_can_be_linked_to(url: str, tmp_path: Path) -> None:
    (tmp_path / "voltair.toml").write_text(f'[api]\ngrafana_url = "{url}"\n')
    with pytest.raises(ConfigError, match=r"https\?://.*api\.grafana_url"):
        load_config(tmp_path / "voltair.toml", {})
