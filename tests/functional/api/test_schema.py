"""The OpenAPI document is true, complete, fresh, and can be browsed without the internet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from django.core.management import call_command

from ownership.enums import Scope
from tests.functional.api.conftest import Api
from tests.functional.api.operations import all_operations
from tests.functional.conftest import OpenPage

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "openapi.yaml"
UNSAFE = ("post", "put", "patch", "delete")


def _operations() -> list[tuple[str, str, dict[str, Any]]]:
    paths = yaml.safe_load(DOCUMENT.read_text())["paths"]
    return [(path, method, found) for path, methods in paths.items() for method, found in methods.items()]


def test_the_committed_document_is_valid_and_fresh(tmp_path: Path) -> None:
    made = tmp_path / "openapi.yaml"
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(made))
    assert made.read_text() == DOCUMENT.read_text(), "Make it again: manage.py spectacular --file docs/openapi.yaml"


def test_every_operation_is_documented_with_its_scope() -> None:
    told = {(path, method.upper()): found["security"] for path, method, found in _operations()}
    expected = len({(item.route, item.method) for item in all_operations()})
    assert len(told) == expected
    for security in told.values():
        [scope] = next(item["bearerToken"] for item in security if "bearerToken" in item)
        assert scope in Scope.values


def test_every_operation_has_a_name_a_tag_and_its_problems() -> None:
    names = [found["operationId"] for _, _, found in _operations()]
    assert len(set(names)) == len(names)
    for path, method, found in _operations():
        assert found["tags"] != ["api"], path
        assert found["summary"], path
        assert {"400", "401", "403", "500"} <= set(found["responses"]), path
        assert "application/problem+json" in found["responses"]["401"]["content"], path
        keyed = any(item["name"] == "Idempotency-Key" for item in found.get("parameters", []))
        assert keyed == (method in UNSAFE), path


def test_the_schema_is_served_to_anyone(api: Api) -> None:
    answer = api(anonymous=True).get("schema/")
    assert (answer.status_code, yaml.safe_load(answer.text)["openapi"]) == (200, "3.1.0")


def test_the_docs_show_the_operations_in_a_browser(open_page: OpenPage) -> None:
    page = open_page("/api/v1/docs/")
    page.get_by_text("/api/v1/tickets/{public_id}/fix/").wait_for()
    hosts = page.evaluate("performance.getEntriesByType('resource').map(entry => new URL(entry.name).hostname)")
    assert set(hosts) == {"localhost"}
