"""Which flows look up the records of which others."""

from pathlib import Path

import pytest
from django.db import connection  # noqa: F401 - the catalog's module needs settings

from syncflows.engine import precedence
from syncflows.governance import files
from syncflows.governance.catalog import Catalog, Versioned
from syncflows.governance.schemas import SPECS

ROOT = Path(__file__).resolve().parents[3]


def catalog_of(folder: Path) -> Catalog:
    by_kind: dict = {}
    for found in files.load(folder):
        kind, name = found.document["kind"], found.document["metadata"]["name"]
        spec = SPECS[kind].model_validate(found.document["spec"])
        by_kind.setdefault(kind, {})[name] = Versioned(1, kind, name, name, 1, name, spec)
    return Catalog(by_kind)


@pytest.mark.parametrize("folder", ["demo", "crm_sales"])
def test_orders_look_up_what_goes_before_them(folder: str) -> None:
    found = precedence.of(catalog_of(ROOT / "docs/examples" / folder))
    assert any(found.values()), "orders look products and customers up"
    for flow, masters in found.items():
        assert flow not in masters
