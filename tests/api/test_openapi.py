"""The OpenAPI document is true: calls made from it are answered as it says, and nothing it allows breaks the server."""

from pathlib import Path
from typing import Any

import pytest
import schemathesis
from api_support import add_transitions, endpoint, make_services, make_state, transition
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, status_code_conformance

from api.app import create_app
from api.endpoints import put_endpoint
from telemetry.config import Config

STATIONS = '[stations.harbour]\nkind = "charging"\ngroups = ["zhoushan"]\n[[stations.harbour.ports]]\nid = "p001"\n'
HOST = {"Host": "127.0.0.1"}
EXAMPLES = 5
SKIPPED = ("/stream", "/readyz")
"""It never ends; no role runs here."""
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("openapi")
    (folder / "stations.toml").write_text(STATIONS)
    config = Config(data_dir=str(folder / "data"), stations=str(folder / "stations.toml"))
    make_state(Path(config.data))
    services = make_services(config)
    with services.desk.write() as db:
        put_endpoint(db, endpoint("ep_1", enabled=False))
    add_transitions(config.data, transition())
    while services.intake.take():
        pass
    yield schemathesis.openapi.from_asgi("/openapi.json", create_app(services), headers=HOST)
    services.desk.close()


def test_every_call_is_answered_as_the_document_says(api: Any) -> None:
    operations = [found.ok() for found in api.get_all_operations()]
    assert len(operations) >= 40
    for operation in operations:
        if operation.path.endswith(SKIPPED):
            continue

        @settings(
            max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def call(case: Any) -> None:
            case.call_and_validate(headers=HOST, checks=CHECKS)

        call()
