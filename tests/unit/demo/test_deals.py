"""The demo's salespeople."""

import random
from datetime import date
from decimal import Decimal

from meshline.demo import deals
from meshline.demo.deals import Price

TODAY = date(2026, 3, 2)
PRICES = [Price("Caliper 100", Decimal("240.00"), "USD"), Price("Thermoprobe 20", Decimal("189.50"), "USD")]
ACCOUNTS = [{"id": "acc_1", "owner": "Ingrid Solheim"}]


def _closings(count: int) -> list[dict[str, object]]:
    rng = random.Random(7)
    deal = {"stage": "Engaging", "product": "Caliper 100", "quantity": 3}
    return [deals.advance(rng, deal, prices=PRICES, today=TODAY) for _ in range(count)]


def test_advance_takes_a_new_deal_to_engaging() -> None:
    change = deals.advance(random.Random(1), {"stage": "Prospecting"}, prices=PRICES, today=TODAY)
    assert change == {"stage": "Engaging", "engage_date": "2026-03-02"}


def test_advance_closes_deals_in_every_way_that_meshline_has_to_handle() -> None:
    closings = _closings(400)
    values = [
        Decimal(str(closing["close_value"]))
        for closing in closings
        if closing["stage"] == "Won" and "close_value" in closing
    ]
    listed = Decimal("720.00")
    assert any(closing["stage"] == "Lost" for closing in closings)
    assert any(closing["stage"] == "Won" and "close_value" not in closing for closing in closings)
    assert any(value < listed * Decimal("0.90") for value in values), "a discount that needs approval"
    assert any(value > listed * Decimal("1.10") for value in values), "a price far above list"
    assert sum(listed * Decimal("0.90") <= value <= listed for value in values) > len(values) / 2


def test_close_value_is_whole_cents_for_each_piece() -> None:
    rng = random.Random(3)
    deal = {"product": "Thermoprobe 20", "quantity": 7}
    for _ in range(100):
        unit = Decimal(deals.close_value(rng, deal, prices=PRICES)) / 7
        assert unit == unit.quantize(Decimal("0.01"))


def test_open_deal_names_a_product_outside_the_price_book_now_and_then() -> None:
    rng = random.Random(5)
    products = {deals.open_deal(rng, accounts=ACCOUNTS, prices=PRICES)["product"] for _ in range(200)}
    assert products > {"Caliper 100", "Thermoprobe 20"}


def test_next_fault_always_wears_off() -> None:
    rng = random.Random(9)
    assert all(1 <= deals.next_fault(rng)["count"] <= 20 for _ in range(50))
