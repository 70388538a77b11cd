"""The Tryton connector against a real Tryton: what it writes, what it finds, and what it makes of refusals."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from syncflows.connectors.errors import Accounting, ConnectorError, Duplicate, NotFound, Rejected
from syncflows.connectors.protocol import Connector
from syncflows.connectors.tryton.rpc import Rpc
from tests.integration.connectors.tryton_calls import call, fresh, line, order, product, states
from tests.tryton_server import Tryton

pytestmark = [pytest.mark.xdist_group("tryton"), pytest.mark.slow]


@pytest.fixture(scope="module")
def erp(tryton: Tryton) -> Iterator[Connector]:
    connector = tryton.connector()
    yield connector
    connector.close()


@pytest.fixture(scope="module")
def clerk(tryton: Tryton) -> Iterator[Rpc]:
    """Somebody at Tryton's own screens."""
    rpc = tryton.rpc()
    yield rpc
    rpc.close()


def draft(clerk: Rpc, reference: str, *, until: str = "draft", price: str = "49.50") -> int:
    """A sale left half way: 2 of SENS-100 for C-ACME on 2017-03-01, as a crash between our calls would leave it."""
    party = clerk.search("party.party", [["code", "=", "C-ACME"]], ["addresses"])[0]
    item = clerk.search("product.product", [["code", "=", "SENS-100"]], ["default_uom"])[0]
    row = {
        "type": "line",
        "product": item["id"],
        "quantity": 2.0,
        "unit": item["default_uom"],
        "unit_price": Decimal(price),
    }
    addresses = dict.fromkeys(("invoice_address", "shipment_address"), party["addresses"][0])
    values = {
        "party": party["id"],
        "reference": reference,
        "sale_date": date(2017, 3, 1),
        "lines": [["create", [row]]],
        **addresses,
    }
    (sale,) = clerk.write("model.sale.sale.create", [values])
    if until == "quotation":
        clerk.write("model.sale.sale.quote", [sale])
    return int(sale)


def test_create_customer_is_found_by_its_code_and_not_made_twice(erp: Connector) -> None:
    code = fresh("C")
    given = call(
        "create_customer",
        code,
        external_id=code,
        name="Isdom",
        country="US",
        city="Boston",
        email="ap@isdom.example",
        payment_term="Net 60",
    )
    first, second = erp.execute(given), erp.execute(given)
    assert (first.created, second.created) == (True, False)
    assert [found.external_id for found in erp.find("create_customer", reference=code)] == [code]
    document = erp.get("create_customer", external_id=code)
    assert (document["name"], document["country"], document["city"], document["payment_term"]) == (
        "Isdom",
        "US",
        "Boston",
        "Net 60",
    )


def test_update_customer_states_what_shall_be(erp: Connector) -> None:
    code = fresh("C")
    with pytest.raises(NotFound):
        erp.execute(call("update_customer", code, external_id=code, name="Nobody"))
    erp.execute(call("create_customer", code, external_id=code, name="Isdom", city="Boston"))
    for _ in range(2):
        erp.execute(
            call("update_customer", code, external_id=code, name="Isdom Inc.", country="US", payment_term="Net 30")
        )
    document = erp.get("update_customer", external_id=code)
    assert (document["name"], document["country"], document["city"], document["payment_term"]) == (
        "Isdom Inc.",
        "US",
        "Boston",
        "Net 30",
    )


def test_create_product_holds_its_exact_list_price(erp: Connector) -> None:
    sku = fresh("GTK 500")
    given = call("create_product", sku, sku=sku, name="GTK 500", list_price="26768.0050")
    assert erp.execute(given).document["list_price"] == "26768.0050"
    assert erp.execute(given).created is False
    assert erp.get("create_product", external_id=sku)["category"] == "Goods"


def test_create_order_reads_back_state_and_exact_totals(erp: Connector) -> None:
    reference = fresh()
    answer = erp.execute(order(reference, lines=[line("SENS-TAX", "2", "26768"), line("CABL-010", "3", "41.0050")]))
    document = erp.get("create_order", external_id=answer.external_id)
    # 2 x 26768 taxed at 8 %, and 3 x 41.0050 = 123.015, which Tryton rounds half to even in the currency's places.
    assert (document["untaxed_amount"], document["tax_amount"], document["total_amount"]) == (
        "53659.02",
        "4282.88",
        "57941.90",
    )
    assert [item["unit_price"] for item in document["lines"]] == ["26768", "41.0050"]
    assert (document["state"], document["customer"], document["currency"], document["sale_date"]) == (
        "processing",
        "C-ACME",
        "USD",
        "2017-03-01",
    )
    assert answer.document == document
    assert (answer.created, answer.complete, document["payment_term"]) == (True, True, "Net 30")


def test_create_order_without_a_price_takes_tryton_s_price_list(erp: Connector) -> None:
    answer = erp.execute(order(fresh(), lines=[line("SENS-100", "100"), line("GATE-200", "1")]))
    assert [item["unit_price"] for item in answer.document["lines"]] == ["39.6000", "288.0000"]


def test_create_order_sent_again_is_adopted(erp: Connector) -> None:
    reference = fresh()
    first, second = erp.execute(order(reference)), erp.execute(order(reference, attempt=2))
    assert (second.external_id, second.created) == (first.external_id, False)
    assert len(erp.find("create_order", reference=reference)) == 1


def test_create_order_that_differs_from_a_processed_one_is_refused_and_changes_nothing(erp: Connector) -> None:
    reference = fresh()
    erp.execute(order(reference))
    with pytest.raises(Rejected, match="differs") as refused:
        erp.execute(order(reference, lines=[line("SENS-100", "2", "48.00")]))
    assert refused.value.context["found"][0]["total_amount"] == "99.00"
    assert [found.document["total_amount"] for found in erp.find("create_order", reference=reference)] == ["99.00"]


def test_find_gives_both_of_two_sales_with_one_reference_and_execute_sends_nothing(erp: Connector, clerk: Rpc) -> None:
    reference = fresh()
    draft(clerk, reference)
    draft(clerk, reference)
    with pytest.raises(Duplicate, match="2 sales"):
        erp.execute(order(reference))
    assert states(erp, reference) == ["draft", "draft"]


@pytest.mark.parametrize("left", ["draft", "quotation"])
def test_create_order_continues_a_sale_left_half_way(erp: Connector, clerk: Rpc, left: str) -> None:
    reference = fresh()
    sale = draft(clerk, reference, until=left)
    (found,) = erp.find("create_order", reference=reference)
    assert (found.complete, found.document["state"]) == (False, left)
    answer = erp.execute(order(reference, attempt=2))
    assert (answer.document["id"], answer.document["state"], answer.created) == (sale, "processing", False)
    assert len(erp.find("create_order", reference=reference)) == 1


def test_create_order_brings_an_unconfirmed_sale_to_the_corrected_document(erp: Connector, clerk: Rpc) -> None:
    reference = fresh()
    sale = draft(clerk, reference, until="quotation", price="1.00")
    answer = erp.execute(order(reference, lines=[line("SENS-100", "2", "49.50"), line("CABL-010", "1", "6.25")]))
    assert (answer.document["id"], answer.document["total_amount"], answer.document["state"]) == (
        sale,
        "105.25",
        "processing",
    )


def test_create_order_whose_processing_fails_is_refused_with_the_cause_and_continued_once_it_is_mended(
    erp: Connector, clerk: Rpc, tryton: Tryton
) -> None:
    reference, nowhere = fresh(), tryton.connector(product_category="")
    sku = product(nowhere).external_id
    wanted = order(reference, lines=[line(sku, "1", "10.00")])
    with pytest.raises(Rejected, match="Account Category") as refused:
        erp.execute(wanted)
    assert (refused.value.context["state"], states(erp, reference)) == ("confirmed", ["confirmed"])
    assert not erp.find("create_order", reference=reference)[0].complete
    _give_category(clerk, sku)
    answer = erp.execute(wanted)
    assert (answer.external_id, answer.document["state"]) == (refused.value.context["external_id"], "processing")
    assert len(erp.find("create_order", reference=reference)) == 1
    nowhere.close()


def _give_category(clerk: Rpc, sku: str) -> None:
    goods = clerk.search("product.category", [["name", "=", "Goods"]], ["id"])[0]["id"]
    template = clerk.search("product.product", [["code", "=", sku]], ["template"])[0]["template"]
    clerk.write("model.product.template.write", [template], {"account_category": goods})


def test_create_order_by_several_threads_refuses_only_those_that_tryton_refuses(erp: Connector, tryton: Tryton) -> None:
    nowhere = tryton.connector(product_category="")
    bad_sku = product(nowhere).external_id
    nowhere.close()
    good = [order(fresh()) for _ in range(10)]
    over = order(fresh(), customer="C-LIMIT", lines=[line("RACK-900", "1", "1450")])
    broken = order(fresh(), lines=[line(bad_sku, "1", "5")])

    def attempt(wanted: object) -> str:
        try:
            return str(erp.execute(wanted).document["state"])  # type: ignore[arg-type]
        except ConnectorError as error:
            return error.code

    with ThreadPoolExecutor(12) as pool:
        results = list(pool.map(attempt, [*good[:5], over, broken, *good[5:]]))
    assert results == ["processing"] * 5 + ["rejected"] * 2 + ["processing"] * 5
    assert [len(erp.find("create_order", reference=wanted.reference)) for wanted in [*good, over, broken]] == [1] * 12


def test_create_order_above_the_credit_limit_is_refused_and_says_where_it_stands(erp: Connector) -> None:
    reference = fresh()
    with pytest.raises(Rejected, match="credit limit") as refused:
        erp.execute(order(reference, customer="C-LIMIT", lines=[line("RACK-900", "1", "1450")]))
    assert refused.value.context["state"] == "quotation"
    assert states(erp, reference) == ["quotation"]


def test_warning_is_acknowledged_only_where_the_definition_accepts_it(tryton: Tryton) -> None:
    wanted = order(fresh(), customer="C-LIMIT", lines=[line("RACK-900", "1", "1450")])
    strict, lenient = (
        tryton.connector(user="credit"),
        tryton.connector(user="credit", accept_warnings=["credit_limit_amount"]),
    )
    with pytest.raises(Rejected, match="options.accept_warnings"):
        strict.execute(wanted)
    assert lenient.execute(wanted).document["state"] == "processing"
    assert len(lenient.find("create_order", reference=wanted.reference)) == 1
    strict.close()
    lenient.close()


@pytest.mark.parametrize(
    ("change", "kind", "field"),
    [
        ({"customer": "C-NOBODY"}, NotFound, "customer_id"),
        ({"currency": "XTS"}, Rejected, "currency"),
        ({"lines": [line("SENS-100", "1", "1"), line("NO-SUCH", "1", "1")]}, Rejected, "lines[1].sku"),
        ({"lines": [{"sku": "SENS-100", "quantity": "1", "unit_price": 1.5}]}, Rejected, "lines[0].unit_price"),
        ({"lines": [line("SENS-100", "1.5", "1")]}, Rejected, ""),
        ({"external_id": " padded"}, Rejected, "external_id"),
        ({"surprise": "x"}, Rejected, "surprise"),
        ({"external_id": "another"}, Rejected, "external_id"),
    ],
)
def test_create_order_names_the_field_that_is_wrong_and_sends_nothing(
    erp: Connector, change: dict[str, object], kind: type[Rejected], field: str
) -> None:
    reference = fresh()
    with pytest.raises(kind) as refused:
        erp.execute(order(reference, **change))  # type: ignore[arg-type]
    assert [item["field"] for item in refused.value.context["details"]] == [field]
    assert erp.find("create_order", reference=reference) == []


def test_post_invoice_posts_once_and_is_found_by_the_order(erp: Connector) -> None:
    reference = fresh()
    sale = erp.execute(order(reference)).document
    assert erp.find("post_invoice", reference=reference) == []
    first, second = (
        erp.execute(call("post_invoice", reference)),
        erp.execute(call("post_invoice", reference, order=sale["number"])),
    )
    assert (first.created, second.created, second.external_id) == (True, False, first.external_id)
    assert [found.external_id for found in erp.find("post_invoice", reference=reference)] == [first.external_id]
    document = erp.get("post_invoice", external_id=first.external_id)
    assert (document["state"], document["total_amount"], document["orders"][0]["reference"]) == (
        "posted",
        "99.00",
        reference,
    )
    today = datetime.now(UTC)
    assert first.external_id in {item["number"] for item in erp.list_window("list_invoices", since=today, until=today)}


def test_post_invoice_into_a_period_that_is_not_open_is_a_matter_of_the_books(erp: Connector) -> None:
    reference = fresh()
    erp.execute(order(reference))
    with pytest.raises(Accounting, match="create a period"):
        erp.execute(call("post_invoice", reference, invoice_date="2017-03-01"))
    assert erp.find("post_invoice", reference=reference) == []


def test_cancel_order_takes_back_what_is_not_processed_and_the_reference_is_free_again(
    erp: Connector, clerk: Rpc
) -> None:
    reference = fresh()
    draft(clerk, reference, until="quotation")
    assert erp.execute(call("cancel_order", reference)).document["state"] == "cancelled"
    assert erp.execute(call("cancel_order", reference)).document["state"] == "cancelled"
    assert len(erp.find("cancel_order", reference=reference)) == 1
    assert erp.find("create_order", reference=reference) == []
    assert erp.execute(order(reference)).created is True


def test_cancel_order_that_is_processed_names_the_remedy(erp: Connector) -> None:
    reference = fresh()
    erp.execute(order(reference))
    with pytest.raises(Accounting, match="Return it"):
        erp.execute(call("cancel_order", reference))
    with pytest.raises(NotFound):
        erp.execute(call("cancel_order", fresh()))


def test_list_window_sees_exactly_the_days_of_the_window_page_after_page(erp: Connector, tryton: Tryton) -> None:
    days = {day: fresh() for day in ("2015-05-31", "2015-06-01", "2015-06-15", "2015-06-29", "2015-06-30")}
    for day, reference in days.items():
        erp.execute(order(reference, order_date=day))
    paged = tryton.connector(page_size=2)
    listed = list(
        paged.list_window(
            "list_orders", since=datetime(2015, 6, 1, tzinfo=UTC), until=datetime(2015, 6, 30, tzinfo=UTC)
        )
    )
    assert [item["reference"] for item in listed] == [days["2015-06-01"], days["2015-06-15"], days["2015-06-29"]]
    assert listed[0] == erp.get("list_orders", external_id=listed[0]["number"])
    paged.close()


def test_lines_total_shows_a_line_altered_after_processing(erp: Connector, clerk: Rpc) -> None:
    found = erp.execute(order(fresh())).document
    (line_id,) = (item["id"] for item in clerk.search("sale.line", [["sale", "=", found["id"]]], ["id"]))
    clerk.write("model.sale.line.write", [line_id], {"unit_price": Decimal("49.00")})
    after = erp.get("create_order", external_id=found["number"])
    assert (found["lines_total"], after["lines_total"], after["untaxed_amount"]) == ("99.00", "98.00", "99.00")


def test_get_of_what_is_not_there_is_not_found(erp: Connector) -> None:
    for operation in ("create_order", "create_customer", "create_product", "post_invoice"):
        with pytest.raises(NotFound):
            erp.get(operation, external_id="NO-SUCH")
