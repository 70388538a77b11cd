"""Tryton 8.0, the ERP, over its JSON-RPC: customers, products, sales, invoices, and what state they are really in."""

from __future__ import annotations

from typing import Any

from syncflows.connectors.tryton import settings
from syncflows.connectors.tryton.connector import TrytonConnector


def build(*, name: str, spec: Any) -> TrytonConnector:
    """A connector for the system `name`. `spec`: its definition's spec, as mapping or model. Nothing is sent yet. Raises Misconfigured."""
    return TrytonConnector(settings.read(name=name, spec=spec))
