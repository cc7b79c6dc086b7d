"""States of devices as dashboards show them: text in two languages and colour."""

from grafana.panels import AMBER, BLUE, GREEN, GREY, PURPLE, RED
from store.schema import OFFLINE, UNKNOWN
from telemetry.channels import MACHINE_STATE, PORT_STATUS

_PORT = {
    "Available": ("空闲", GREEN),
    "Preparing": ("准备中", AMBER),
    "Charging": ("充电中", BLUE),
    "SuspendedEV": ("车辆暂停", AMBER),
    "SuspendedEVSE": ("桩端暂停", AMBER),
    "Finishing": ("结束中", AMBER),
    "Reserved": ("已预约", PURPLE),
    "Unavailable": ("不可用", PURPLE),
    "Faulted": ("故障", RED),
    "Occupied": ("占用", BLUE),
}
_MACHINE = {
    "stopped": ("停机", GREY),
    "starting": ("启动中", PURPLE),
    "unloaded": ("卸载", AMBER),
    "loading": ("加载过渡", AMBER),
    "loaded": ("加载", BLUE),
    "unloading": ("卸载过渡", AMBER),
    "stopping": ("停机中", PURPLE),
    "running": ("运行", GREEN),
    "fault": ("故障", RED),
}
_UNHEARD = {OFFLINE: ("离线", "#59636b"), UNKNOWN: ("未知", "#b4bcc3")}


def _states(names: tuple[str, ...], known: dict[str, tuple[str, str]], language: str) -> list[tuple[str, str, str]]:
    table = {**{name: known[name] for name in names}, **_UNHEARD}
    return [(name, zh if language == "zh" else name, color) for name, (zh, color) in table.items()]


KINDS = {
    "port": ("ports", "充电桩"),
    "site_meter": ("site meters", "总表"),
    "compressor": ("compressors", "空压机"),
    "dryer": ("dryers", "干燥机"),
    "auxiliary": ("auxiliaries", "辅机"),
    "air_main": ("air mains", "供气总管"),
    "air_meter": ("air meters", "气表"),
}
"""Kind of device -> its word in English and Chinese."""


def port_states(language: str) -> list[tuple[str, str, str]]:
    """Return (value, text, colour) of every state of a port, Offline and Unknown included."""
    return _states(PORT_STATUS, _PORT, language)


def machine_states(language: str) -> list[tuple[str, str, str]]:
    """Return (value, text, colour) of every state of a machine, Offline and Unknown included."""
    return _states(MACHINE_STATE, _MACHINE, language)
