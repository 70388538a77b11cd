"""Foreign keys point only downwards. They are strings ("engine.Run"), which import-linter cannot see."""

from collections.abc import Iterator

from django.apps import apps
from django.db.models import Field, Model

from tests.architecture.code import PRODUCT

# From the bottom up. Apps of one row may not point at each other.
LAYERS = (
    ("kernel", "embedded"),
    ("audit",),
    ("ownership",),
    ("governance", "connectors", "sandbox"),
    ("engine",),
    ("exceptions",),
    ("reconciliation",),
    ("console",),
)
# Any app may point at these: Django's own, and the account of whoever acts.
ALWAYS_ALLOWED = frozenset({"contenttypes", "auth"})


def test_every_app_of_ours_has_a_layer() -> None:
    ours = {config.label for config in apps.get_app_configs() if config.name.partition(".")[0] in PRODUCT}
    assert ours - set(_heights()) == set()


def test_foreign_keys_point_downwards() -> None:
    upward = [link for link in _links() if not _is_allowed(*link)]
    assert [f"{source} -> {target}" for source, target in upward] == []


def test_is_allowed_refuses_up_and_sideways() -> None:
    assert _is_allowed("reconciliation.Discrepancy.run", "engine.Run")
    assert _is_allowed("engine.Step.run", "engine.Run")
    assert not _is_allowed("engine.Run.ticket", "exceptions.Ticket")
    assert not _is_allowed("governance.System.fake", "sandbox.World")


def _heights() -> dict[str, int]:
    return {label: height for height, labels in enumerate(LAYERS) for label in labels}


def _is_allowed(source: str, target: str) -> bool:
    source_app, target_app = source.partition(".")[0], target.partition(".")[0]
    heights = _heights()
    return (
        source_app == target_app
        or target_app in ALWAYS_ALLOWED
        or heights.get(target_app, len(LAYERS)) < heights[source_app]
    )


def _links() -> Iterator[tuple[str, str]]:
    for model in apps.get_models(include_auto_created=True):
        if model._meta.app_label in _heights():
            for field in model._meta.get_fields():
                if isinstance(field, Field) and (target := _target(field)):
                    yield f"{model._meta.label}.{field.name}", target._meta.label


def _target(field: "Field[object, object]") -> type[Model] | None:
    target = field.related_model
    return target if isinstance(target, type) and issubclass(target, Model) else None
