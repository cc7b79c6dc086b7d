"""A whole Voltair with InfluxDB, filled by the simulators once for all tests of the dashboards."""

from collections.abc import Iterator

import grafana_day
import httpx
import pytest
from grafana_asks import MOST_S, Asker, Filled
from river.stack import stack
from servers import influxd


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    with influxd() as influx, httpx.Client(base_url=influx.url, timeout=MOST_S, trust_env=False) as client:
        sections = f'[store]\nkind = "influx"\n[store.influx]\nurl = "{influx.url}"'
        stations = grafana_day.SCENARIO.stations_toml()
        with stack(tmp_path_factory.mktemp("grafana"), stations=stations, sections=sections) as river:
            river.publish(grafana_day.messages())
            river.wait_settled()
            yield Filled(Asker(client, grafana_day.TO), river)
