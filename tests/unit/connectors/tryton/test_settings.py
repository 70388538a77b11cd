"""What a System document may say about a Tryton, and what is said when it cannot work."""

from typing import Any

import pytest

from syncflows.connectors.errors import Misconfigured
from syncflows.connectors.tryton import settings
from syncflows.governance.schemas.systems import System

SPEC: dict[str, Any] = {
    "connector": "tryton",
    "base_url": "https://erp.example.com/",
    "auth": {"type": "basic", "username": {"env": "ERP_USER"}, "password": {"env": "ERP_PASSWORD", "default": "demo"}},
    "timeouts": {"read_s": 20},
    "options": {"database": "erp", "accept_warnings": ["credit_limit_amount"]},
}


def test_read_takes_a_mapping_and_the_schema_s_model_alike() -> None:
    assert settings.read(name="erp", spec=SPEC) == settings.read(name="erp", spec=System.model_validate(SPEC))
    found = settings.read(name="erp", spec=SPEC)
    assert (found.base_url, found.read_s, found.options.database) == ("https://erp.example.com", 20, "erp")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"options": {}}, "spec.options.database"),
        ({"options": {"database": "erp", "databse": "x"}}, "spec.options.databse"),
        ({"auth": {"type": "bearer"}}, "spec.auth"),
        ({"base_url": "erp.example.com"}, "spec.base_url"),
    ],
)
def test_read_names_the_path_that_is_wrong(change: dict[str, Any], named: str) -> None:
    with pytest.raises(Misconfigured, match=named):
        settings.read(name="erp", spec=SPEC | change)


def test_secret_is_read_when_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    found = settings.read(name="erp", spec=SPEC)
    monkeypatch.delenv("ERP_USER", raising=False)
    with pytest.raises(Misconfigured, match="ERP_USER"):
        found.username.value()
    monkeypatch.setenv("ERP_USER", "sync")
    assert (found.username.value(), found.password.value()) == ("sync", "demo")
