"""`/_control`: faults, settings, reset, seed, ledger. For tests and demonstrations; takes no token."""

from typing import Annotated

from pydantic import Field, StrictBool, StrictInt

from syncflows.sandbox import ledger, seed
from syncflows.sandbox.documents import BY_SHORT_NAME
from syncflows.sandbox.errors import invalid
from syncflows.sandbox.exchange import Answer, Call, ModelT
from syncflows.sandbox.faults import Fault
from syncflows.sandbox.fields import Input, IsoDate
from syncflows.sandbox.lists import refuse_unknown
from syncflows.sandbox.world import KEEPABLE


class ResetIn(Input):
    keep: Annotated[list[str], Field(max_length=10)] = []


class SeedIn(Input):
    seed: StrictInt | None = None
    today: IsoDate | None = None
    emit: StrictBool = False


def list_faults(call: Call) -> Answer:
    return Answer(200, {"items": [fault.shape() for fault in call.world.faults.all()]})


def add_fault(call: Call) -> Answer:
    return Answer(201, call.world.faults.add(call.read(Fault)).shape())


def remove_fault(call: Call) -> Answer:
    call.world.faults.remove(call.keys["key"])
    return Answer(204)


def clear_faults(call: Call) -> Answer:
    call.world.faults.clear()
    return Answer(204)


def read_settings(call: Call) -> Answer:
    return Answer(200, call.world.settings.model_dump())


def change_settings(call: Call) -> Answer:
    call.world.change_settings(call.read_json())
    return Answer(200, call.world.settings.model_dump())


def reset(call: Call) -> Answer:
    keep = set(read_optional(call, ResetIn).keep)
    if not keep <= set(KEEPABLE):
        raise invalid(("keep", f"choose from {', '.join(KEEPABLE)}"))
    call.world.reset(keep=keep)
    return Answer(200, {"reset": True, "kept": sorted(keep)})


def load_seed(call: Call) -> Answer:
    given = read_optional(call, SeedIn)
    number = call.world.settings.seed if given.seed is None else given.seed
    return Answer(200, seed.load(call, number=number, today=given.today, emit=given.emit))


def read_ledger(call: Call) -> Answer:
    refuse_unknown(call.query, known=("entity", "full"))
    entity = BY_SHORT_NAME.get(call.query.get("entity", "orders"))
    if entity is None:
        raise invalid(("entity", f"choose from {', '.join(BY_SHORT_NAME)}"))
    if call.query.get("full") == "1":
        text = "".join(ledger.write_lines(call.store, entity))
        return Answer(200, content=text.encode(), media_type="application/x-ndjson")
    return Answer(200, ledger.summarise(call.store, entity))


def read_optional(call: Call, model: type[ModelT]) -> ModelT:
    """An empty body stands for {}."""
    return call.read(model) if call.raw.strip() else model()


ROUTES = [
    ("GET", "/faults", list_faults),
    ("POST", "/faults", add_fault),
    ("DELETE", "/faults", clear_faults),
    ("DELETE", "/faults/{key}", remove_fault),
    ("GET", "/settings", read_settings),
    ("POST", "/settings", change_settings),
    ("POST", "/reset", reset),
    ("POST", "/seed", load_seed),
    ("GET", "/ledger", read_ledger),
]
