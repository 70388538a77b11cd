"""Whatever is sent to any operation, the answer is one that the OpenAPI document promises, and never a defect of ours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode, checks

from ownership.enums import Scope
from tests.factories import people
from tests.factories import tickets as make
from tests.functional.api.conftest import Api

CHECKS: list[Any] = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]
EXAMPLES = 5  # for each operation; a count, not a clock, so that every run tries the same
RELAXED = [
    HealthCheck.too_slow,
    HealthCheck.filter_too_much,
    HealthCheck.data_too_large,
    HealthCheck.function_scoped_fixture,
]


def _operations() -> Iterator[Any]:
    schema = schemathesis.openapi.from_dict(SchemaGenerator().get_schema(request=None, public=True))
    for result in schema.get_all_operations():
        yield result.ok()


@pytest.mark.slow
def test_no_input_makes_an_operation_fail_or_answer_what_is_not_documented(api: Api, live_server: Any) -> None:
    approval = make.approval(people.bob())
    known = {
        "public_id": [approval.ticket.public_id, approval.public_id, approval.run.public_id],
        "name": ["orders-to-erp"],
    }
    header = {"Authorization": api(*Scope.values, team=approval.team).headers["Authorization"]}
    operations = list(_operations())
    tried = [_try(operation, live_server.url, header, known) for operation in operations]
    assert len(tried) > 30
    assert min(tried) > 0


def _try(operation: Any, url: str, header: dict[str, str], known: dict[str, list[str]]) -> int:
    """How many requests were sent."""
    sent = 0

    @settings(
        max_examples=EXAMPLES,
        phases=[Phase.generate],
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=RELAXED,
    )
    @given(data=st.data())
    def send(data: Any) -> None:
        nonlocal sent
        mode = data.draw(st.sampled_from([GenerationMode.POSITIVE, GenerationMode.NEGATIVE]))
        case = data.draw(operation.as_strategy(generation_mode=mode))
        if case.path_parameters and data.draw(st.booleans()):
            case.path_parameters = {name: data.draw(st.sampled_from(known[name])) for name in case.path_parameters}
        answer = case.call(base_url=url, headers=header, timeout=20)
        sent += 1
        assert answer.status_code < 500, answer.text
        case.validate_response(answer, checks=CHECKS)

    send()
    return sent
