"""JSON Schemas of the definitions, for editors (yaml-language-server): one per kind, and one for all. Generated; a check says when they are stale."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.json_schema import models_json_schema

from syncflows.governance.enums import Kind
from syncflows.governance.schemas import SPECS, Metadata

ALL = "meshline.schema.json"
DIALECT = "https://json-schema.org/draft/2020-12/schema"


@cache
def texts() -> dict[str, str]:
    """File name to content."""
    models = {kind: _document_model(kind) for kind in Kind}
    found = {
        f"{kind.lower()}.schema.json": _text({"$schema": DIALECT, **models[kind].model_json_schema()}) for kind in Kind
    }
    references, shared = models_json_schema([(model, "validation") for model in models.values()])
    alternatives = [references[models[kind], "validation"] for kind in Kind]
    found[ALL] = _text({"$schema": DIALECT, "title": "Meshline definition", "oneOf": alternatives, **shared})
    return found


def write(folder: Path) -> list[str]:
    """Write the schemas; returns their file names."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts().items():
        (folder / name).write_text(text, encoding="utf-8")
    return sorted(texts())


def stale(folder: Path) -> list[str]:
    """Names of files that are missing or differ from what the models say."""
    return sorted(
        name
        for name, text in texts().items()
        if not (folder / name).is_file() or (folder / name).read_text(encoding="utf-8") != text
    )


def _document_model(kind: Kind) -> type[BaseModel]:
    spec = SPECS[kind]
    fields: dict[str, Any] = {
        "apiVersion": (Literal["meshline/v1"], ...),
        "kind": (Literal[kind.value], ...),
        "metadata": (Metadata, ...),
        "spec": (spec, Field(description=(spec.__doc__ or "").strip() or None)),
    }
    return create_model(f"{kind}Document", __config__=ConfigDict(extra="forbid", title=f"{kind} definition"), **fields)


def _text(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False, sort_keys=False) + "\n"
