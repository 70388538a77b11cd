from __future__ import annotations

from decimal import Decimal

import pytest

from meshline.kernel.errors import Invalid
from reconciliation.compare import Unreadable
from reconciliation.reading import Reader, own_id
from syncflows.engine.models import CanonicalRecord
from syncflows.governance.schemas.flows import ReconcileRule

RULE = ReconcileRule.model_validate(
    {
        "system": "erp",
        "operation": "list-orders",
        "key": "item.external_id",
        "ours": "order.number",
        "only": "item.status != 'cancelled'",
        "amount": "item.total",
        "currency": "item.currency",
        "fields": [
            {"name": "total", "ours": "order.total", "theirs": "item.total", "tolerance": "0.01"},
            {"name": "customer", "ours": "order.customer", "theirs": "item.customer"},
        ],
    }
)
ITEM = {
    "number": "SO-1",
    "id": "ord_1",
    "external_id": "D1",
    "status": "open",
    "total": "10.50",
    "currency": "USD",
    "customer": "C1",
}


@pytest.fixture
def reader() -> Reader:
    return Reader(RULE, canonical="order")


def record(**document: object) -> CanonicalRecord:
    return CanonicalRecord(
        pk=7,
        key="k",
        document={"number": "D1", "total": "10.50", "customer": "C1", **document},
        amount=Decimal("10.50"),
        currency="USD",
    )


def test_our_record_reads_reference_fields_and_amount(reader):
    found = reader.our_record(record())
    assert (found.key, found.fields, found.amount, found.row) == (
        "D1",
        {"total": "10.50", "customer": "C1"},
        Decimal("10.50"),
        7,
    )


def test_our_record_without_reference_names_the_record_and_the_remedy(reader):
    empty = CanonicalRecord(pk=7, key="k9", document={"total": "1"})
    with pytest.raises(Invalid, match=r"order k9 .* Correct reconcile\.ours"):
        reader.our_record(empty)


def test_our_record_of_an_older_mapping_has_unreadable_fields(reader):
    old = CanonicalRecord(pk=7, key="k", document={"number": "D1", "total": "1.00"})
    assert isinstance(reader.our_record(old).fields["customer"], Unreadable)


def test_their_item_reads_key_id_and_money(reader):
    found = reader.their_item(ITEM)
    assert (found.key, found.ident, found.amount, found.currency) == ("D1", "SO-1", Decimal("10.50"), "USD")
    assert found.identity == ("number=SO-1", "id=ord_1")
    assert reader.unreadable == 0


def test_their_item_is_left_out_by_only(reader):
    assert reader.their_item({**ITEM, "status": "cancelled"}) is None


@pytest.mark.parametrize("key", [None, "", "  "])
def test_their_item_without_reference_has_an_empty_key(reader, key):
    assert reader.their_item({**ITEM, "external_id": key}).key == ""


def test_their_item_that_only_cannot_judge_is_looked_at(reader):
    assert reader.their_item({name: value for name, value in ITEM.items() if name != "status"}) is not None


def test_their_item_with_an_amount_that_is_none_has_no_amount(reader):
    assert reader.their_item({**ITEM, "total": "plenty"}).amount is None


def test_their_item_takes_keys_that_cannot_be_stored(reader):
    assert reader.their_item({**ITEM, "external_id": "a\0b" + "x" * 300}).key == ("a\ufffdb" + "x" * 300)[:200]


def test_check_refuses_a_list_that_cannot_be_read_and_quotes_why(reader):
    for number in range(6):
        reader.their_item(
            {name: value for name, value in {**ITEM, "number": f"SO-{number}"}.items() if name != "total"}
        )
    with pytest.raises(Invalid, match=r"6 of 6 documents of erp cannot be read: .*item\.total"):
        reader.check(6)


def test_check_takes_a_few_odd_documents(reader):
    for _ in range(3):
        reader.their_item({"number": "SO-1"})
    reader.check(100)


def test_own_id_of_a_nameless_document_is_a_fingerprint():
    assert own_id({"total": "1"}) == own_id({"total": "1"})
    assert own_id({"total": "1"}) != own_id({"total": "2"})
