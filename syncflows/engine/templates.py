"""Trees of expressions: mappings and step documents. Pure."""

from __future__ import annotations

from typing import Any

from meshline.kernel.expressions import Scope, compiled
from syncflows.governance.schemas.base import ENGINE_FUNCTIONS


def evaluate(template: Any, scope: Scope) -> Any:
    """The tree with each expression replaced by its value."""
    if isinstance(template, dict):
        return {key: evaluate(item, scope) for key, item in template.items()}
    if isinstance(template, list):
        return [evaluate(item, scope) for item in template]
    return compiled(template, extra=ENGINE_FUNCTIONS).evaluate(scope)


def reads(template: Any, variable: str) -> bool:
    """Whether any expression of the tree reads that variable."""
    if isinstance(template, dict):
        return any(reads(item, variable) for item in template.values())
    if isinstance(template, list):
        return any(reads(item, variable) for item in template)
    return variable in compiled(template, extra=ENGINE_FUNCTIONS).variables
