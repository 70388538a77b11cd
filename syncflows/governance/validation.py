"""One parsed YAML document against its kind's schema; every fault becomes a problem with line, path and remedy. Pure."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from syncflows.governance.enums import Kind
from syncflows.governance.problems import PathParts, Problem, path_text, suggestion
from syncflows.governance.schemas import SPECS, Document, Metadata
from syncflows.governance.schemas.base import Strict
from syncflows.governance.yaml_reading import Parsed

CEL_NOISE = re.compile(r"Failed to parse expression '.*': ERROR: <input>:1:(\d+): (?:Syntax error: )?", re.DOTALL)
GUIDE = "See docs/definitions.md."


@dataclass(frozen=True)
class Loaded:
    """One valid definition, as written. `document` is what is stored; `spec` the kind's schema model."""

    kind: Kind
    name: str
    document: dict[str, Any]
    spec: Any
    metadata: Metadata
    file: str
    parsed: Parsed

    @property
    def ident(self) -> str:
        return f"{self.kind}/{self.name}"

    def problem(self, path: PathParts, message: str, remedy: str) -> Problem:
        return Problem(self.file, self.parsed.line_of(path), path_text(path), message, remedy, self.ident)


def check(parsed: Parsed, *, file: str) -> tuple[Loaded | None, list[Problem]]:
    """The definition, or what is wrong with it."""
    ident = _ident(parsed.value)
    problems = [
        Problem(file, flaw.line, path_text(flaw.path), flaw.message, flaw.remedy, ident) for flaw in parsed.flaws
    ]
    if parsed.value is None:
        return None, problems
    problems += [
        Problem(file, parsed.line_of(path), path_text(path), message, remedy, ident)
        for path, message, remedy in _faults(parsed.value)
    ]
    return (None, problems) if problems else (_loaded(parsed, file), [])


def _loaded(parsed: Parsed, file: str) -> Loaded:
    document = Document.model_validate(parsed.value)
    spec = SPECS[document.kind].model_validate(document.spec)
    return Loaded(document.kind, document.metadata.name, parsed.value, spec, document.metadata, file, parsed)


def _ident(value: Any) -> str:
    metadata = value.get("metadata") if isinstance(value, dict) else None
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return f"{value['kind']}/{name}" if name and isinstance(value.get("kind"), str) else ""


Fault = tuple[PathParts, str, str]


def _faults(value: Any) -> Iterator[Fault]:
    if not isinstance(value, dict):
        yield (), "a definition is a mapping with apiVersion, kind, metadata and spec", GUIDE
        return
    yield from _of_model(Document, value, ())
    kind = value.get("kind")
    if kind in SPECS and isinstance(value.get("spec"), dict):
        yield from _of_model(SPECS[Kind(kind)], value["spec"], ("spec",))


def _of_model(model: type[BaseModel], value: Any, base: PathParts) -> Iterator[Fault]:
    try:
        model.model_validate(value)
    except ValidationError as error:
        faults = [(_path(value, item), item) for item in error.errors(include_url=False, include_context=True)]
        seen: set[tuple[PathParts, str]] = set()
        for path, item in faults:
            told = (path, _message(item, value))
            if told not in seen and not _is_echo(path, item, faults):
                seen.add(told)
                yield (*base, *path), told[1], _remedy(model, path, item)


def _path(value: Any, item: Any) -> PathParts:
    """The error's place in the document: without the names of union branches that Pydantic puts in between."""
    path: list[str | int] = []
    for part in item["loc"]:
        inside = (isinstance(value, dict) and part in value) or (
            isinstance(value, list) and isinstance(part, int) and part < len(value)
        )
        if inside:
            path.append(part)
            value = value[part]
    last = item["loc"][-1] if item["loc"] else None
    if item["type"] == "missing" and last is not None:
        path.append(last)
    return tuple(path)


def _is_echo(path: PathParts, item: Any, faults: list[tuple[PathParts, Any]]) -> bool:
    """Of a union's branches, the one that the writer plainly did not mean: what they wrote is a mapping, or is not one."""
    others = [other for other_path, other in faults if other is not item and other_path[: len(path)] == path]
    if isinstance(item["input"], dict | list) and item["type"] in ("string_type", "literal_error", "is_instance_of"):
        return bool(others)
    return item["type"] in ("model_type", "dict_type", "model_attributes_type") and any(
        other["type"] in ("literal_error", "string_type") for other in others
    )


def _message(item: Any, value: Any) -> str:
    name, given = (item["loc"][-1] if item["loc"] else "the document"), item["input"]
    match item["type"]:
        case "extra_forbidden":
            return f"`{name}` is not a field here."
        case "missing":
            return f"`{name}` is missing."
        case "string_type":
            return f"{_shown(given)} is not a text."
        case "enum" | "literal_error":
            return f"{_shown(given)} is not one of {item['ctx']['expected']}."
        case "string_pattern_mismatch":
            return f"{_shown(given)} does not fit the pattern {item['ctx']['pattern']}."
        case "value_error":
            return CEL_NOISE.sub(r"at character \1: ", f"{item['ctx']['error']}").partition(" expecting {")[0]
    return f"{_shown(given)}: {item['msg'][:1].lower()}{item['msg'][1:]}."


def _remedy(model: type[BaseModel], path: PathParts, item: Any) -> str:
    match item["type"]:
        case "extra_forbidden":
            return suggestion(str(item["loc"][-1]), _fields_at(model, path[:-1]), kind="Fields here")
        case "missing":
            return f"Add it. {_described(model, path)}".rstrip()
        case "string_type" if not isinstance(item["input"], dict | list | type(None)):
            return f'Put it in quotes: "{_shown(item["input"])}".'
        case "enum" | "literal_error":
            return suggestion(
                str(item["input"]),
                item["ctx"]["expected"].replace(" or ", ", ").replace("'", "").split(", "),
                kind="Choose one of",
            )
        case "string_pattern_mismatch" if "a-z0-9]+(-" in item["ctx"]["pattern"]:
            return "Names are lower-case letters and digits with single hyphens, such as crm-account."
        case "string_pattern_mismatch" if item["ctx"]["pattern"] == r"^[a-z][a-z0-9_]*$":
            return "Write lower-case letters, digits and underscores, so that expressions can read it, such as credit_memo."
    return _described(model, path) or GUIDE


def _shown(value: Any) -> str:
    text = "nothing" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _described(model: type[BaseModel], path: PathParts) -> str:
    owner = _model_at(model, path[:-1])
    field = (
        next((f for name, f in owner.model_fields.items() if path and path[-1] in (name, f.alias)), None)
        if owner
        else None
    )
    return f"It is: {field.description}." if field and field.description else ""


def _fields_at(model: type[BaseModel], path: PathParts) -> list[str]:
    owner = _model_at(model, path)
    return [field.alias or name for name, field in owner.model_fields.items()] if owner else []


def _model_at(model: type[BaseModel], path: PathParts) -> type[BaseModel] | None:
    """The schema model that governs a place in the document."""
    found: type[BaseModel] | None = model
    annotation: Any = model
    for part in path:
        if found is not None:
            field = next((f for name, f in found.model_fields.items() if part in (name, f.alias)), None)
            annotation = field.annotation if field else None
        elif typing.get_origin(annotation) in (dict, list):
            annotation = typing.get_args(annotation)[-1]
        found = _model_in(annotation)
    return found


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, Strict):
        return annotation
    if typing.get_origin(annotation) in (dict, list):
        return None
    return next((found for part in typing.get_args(annotation) if (found := _model_in(part))), None)
