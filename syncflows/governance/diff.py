"""How a folder of definitions differs from what is in force. Changes nothing."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field

from meshline.kernel import fingerprint
from syncflows.governance import export, yaml_writing
from syncflows.governance.models import Definition, DefinitionVersion
from syncflows.governance.validation import Loaded


@dataclass
class Difference:
    """`changed` Kind/name that applying would create or update; `absent` those in force that the folder does not hold (they would stay)."""

    changed: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)


def compare(documents: Sequence[Loaded]) -> Difference:
    """The folder's definitions against the active versions; `texts` are unified diffs, from what is in force to what the folder says."""
    active = {
        f"{row.kind}/{row.name}": row.active
        for row in Definition.objects.filter(active__isnull=False).select_related("active")
    }
    found = Difference(absent=sorted(set(active) - {document.ident for document in documents}))
    for document in sorted(documents, key=lambda each: each.ident):
        version = active.get(document.ident)
        if version is None or version.fingerprint != fingerprint.of(document.document):
            found.changed.append(document.ident)
            found.texts.append(_unified(document, version))
    return found


def _unified(document: Loaded, version: DefinitionVersion | None) -> str:
    name = export.file_name(document.kind, document.name)
    before = yaml_writing.write(version.document).splitlines(keepends=True) if version else []
    after = yaml_writing.write(document.document).splitlines(keepends=True)
    old = f"in force/{name} (version {version.number})" if version else "/dev/null"
    return "".join(difflib.unified_diff(before, after, old, f"{document.file} ({name})"))
