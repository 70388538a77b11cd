"""Definitions as YAML text: keys in the schemas' order, texts exact, long ones as blocks. Reading it back gives the same value. Pure."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import cache
from typing import Any

import yaml
from pydantic import BaseModel

from syncflows.governance import yaml_reading
from syncflows.governance.schemas import SPECS, base, documents

PLAIN = re.compile(r"^[A-Za-z_/<>(!\[]")
UNPRINTABLE = re.compile("[^\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def write(document: dict[str, Any]) -> str:
    """YAML text of one document."""
    return str(
        yaml.dump(
            ordered(document),
            Dumper=_Dumper,
            sort_keys=False,
            allow_unicode=True,
            width=float("inf"),
            default_flow_style=False,
        )
    )


def ordered(value: Any) -> Any:
    """The same value with mappings' keys in a stable order: as the schemas name them, then by name (the store does not keep any order)."""
    if isinstance(value, dict):
        return {
            key: ordered(value[key]) for key in sorted(value, key=lambda key: (_ranks().get(key, len(_ranks())), key))
        }
    return [ordered(item) for item in value] if isinstance(value, list) else value


@cache
def _ranks() -> dict[str, int]:
    names: dict[str, int] = {}
    models: list[type[BaseModel]] = [
        documents.Document,
        documents.Metadata,
        *SPECS.values(),
        *base.Strict.__subclasses__(),
    ]
    for model in models:
        for name in _field_names(model):
            names.setdefault(name, len(names))
    return names


def _field_names(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _text(dumper: _Dumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar(yaml_reading.STR, value, style=_style(value))


def _style(value: str) -> str | None:
    """Block for several lines, plain where nobody can mistake it, else quotes."""
    if UNPRINTABLE.search(value):
        return '"'
    if "\n" in value:
        return "|" if _fits_a_block(value) else '"'
    if PLAIN.match(value) and _reads_back(value):
        return None
    return '"' if "'" in value and '"' not in value and "\\" not in value else "'"


def _fits_a_block(value: str) -> bool:
    lines = value.removesuffix("\n").split("\n")
    return bool(lines[0] and lines[-1]) and not lines[0][0].isspace() and not any(line[-1:].isspace() for line in lines)


def _reads_back(value: str) -> bool:
    """Whether PyYAML's resolver and our stricter reading both take it for this very text."""
    tag = yaml.SafeLoader("").resolve(yaml.ScalarNode, value, (True, False))
    try:
        return bool(yaml_reading.plain(value, tag=tag) == value)
    except yaml_reading.Surprise:
        return False


def _fraction(dumper: _Dumper, value: float) -> yaml.ScalarNode:
    text = format(Decimal(repr(value)), "f")
    return dumper.represent_scalar("tag:yaml.org,2002:float", text if "." in text else f"{text}.0")


_Dumper.add_representer(str, _text)
_Dumper.add_representer(float, _fraction)
