"""What creating, reading and changing have in common for all documents of the three systems."""

from typing import Any

from pydantic import BaseModel

from syncflows.sandbox import documents
from syncflows.sandbox.documents import Body, Entity
from syncflows.sandbox.errors import invalid, not_found
from syncflows.sandbox.exchange import Call
from syncflows.sandbox.fields import check


def find(call: Call, entity: Entity) -> Body:
    """The document the path names. Raises ApiError 404."""
    body = documents.get(call.store, entity, call.keys["key"])
    if body is None:
        raise not_found(entity.noun, call.keys["key"])
    return body


def stamp(call: Call, body: Body) -> Body:
    now = call.store.clock.now()
    return {**body, "created_at": now, "updated_at": now}


def merge(call: Call, model: type[BaseModel], current: Body) -> Any:
    """The body laid over the editable part of `current`, checked as a whole. Raises ApiError 422."""
    patch = call.read_json()
    if not isinstance(patch, dict):
        raise invalid(("body", "must be a JSON object"))
    editable = {name: current[name] for name in model.model_fields if name in current}
    return check(model, {**editable, **patch})


def save_change(call: Call, entity: Entity, current: Body, changed: Body) -> Body | None:
    """Write `changed` over `current` with a new version and time; None when nothing differs."""
    after = {**current, **changed}
    if after == current:
        return None
    if "version" in current:
        after["version"] = current["version"] + 1
    after["updated_at"] = call.store.clock.now()
    return documents.replace(call.store, entity, after)
