"""The definitions in force as files: one per definition, `<kind>/<name>.yaml`. Applying them again changes nothing."""

from __future__ import annotations

from pathlib import Path

from meshline.kernel.errors import Conflict
from syncflows.governance import yaml_writing
from syncflows.governance.models import Definition


def export(folder: Path) -> list[str]:
    """Write every definition in force below `folder`, over files of the same name; other files stay. Returns the idents written.

    Raises Conflict when the folder cannot be written.
    """
    written = []
    for definition in Definition.objects.filter(active__isnull=False).select_related("active").order_by("kind", "name"):
        assert definition.active
        _write(folder / file_name(definition.kind, definition.name), yaml_writing.write(definition.active.document))
        written.append(f"{definition.kind}/{definition.name}")
    return written


def file_name(kind: str, name: str) -> str:
    return f"{kind.lower()}/{name}.yaml"


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Conflict(
            f"{path} cannot be written: {error.strerror}. Name a folder that this account may write to."
        ) from error
