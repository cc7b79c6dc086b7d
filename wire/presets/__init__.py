"""Decoders that ship with Voltair, one TOML file per family of devices; `preset = "evcc"` stands for its tables."""

import tomllib
from importlib.resources import files

import msgspec

from telemetry.channels import KIND_BY_NAME
from telemetry.decoders import DecoderConfig
from telemetry.errors import ConfigError


class Preset(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file."""

    root: str
    """First levels of its topics, unless the configuration gives others; `{root}` in each topic."""
    decoders: tuple[DecoderConfig, ...]
    """What they leave out (station, kind, device) comes from the configuration."""


def preset_names() -> tuple[str, ...]:
    """Return the names of all presets."""
    return tuple(sorted(f.name.removesuffix(".toml") for f in files(__name__).iterdir() if f.name.endswith(".toml")))


def expand(config: DecoderConfig) -> tuple[DecoderConfig, ...]:
    """Return the decoders that a table stands for: itself, or those of its preset.

    Fields of channels that the given kind lacks are left out.

    Raises
    ------
    ConfigError
        If there is no such preset, or a key is given that it settles itself.
    """
    if not config.preset:
        if config.root:
            msg = "root goes with preset; write the whole topic under topic"
            raise ConfigError(msg)
        return (config,)
    if config.preset not in preset_names():
        msg = f"preset {config.preset!r} is none of {', '.join(preset_names())}"
        raise ConfigError(msg)
    preset = msgspec.convert(tomllib.loads((files(__name__) / f"{config.preset}.toml").read_text("utf-8")), Preset)
    given = {k: v for k, v in msgspec.structs.asdict(config).items() if v != getattr(DecoderConfig(), k)}
    open_keys = {k for k in ("station", "kind", "device") if any(not getattr(d, k) for d in preset.decoders)}
    for key in sorted(given.keys() - {"preset", "root"} - open_keys):
        msg = f"preset {config.preset!r} settles {key} itself; leave it out, or write the decoder without preset"
        raise ConfigError(msg)
    return tuple(_settled(d, given, config.root or preset.root) for d in preset.decoders)


def _settled(decoder: DecoderConfig, given: dict[str, str], root: str) -> DecoderConfig:
    changes = {k: given[k] for k in ("station", "kind", "device") if k in given and not getattr(decoder, k)}
    changed = msgspec.structs.replace(decoder, topic=decoder.topic.replace("{root}", root), **changes)
    kind = KIND_BY_NAME.get(changed.kind)
    if kind is None:
        return changed
    return msgspec.structs.replace(changed, fields={n: f for n, f in changed.fields.items() if kind.channel(n)})
