"""A small, complete set of definitions as YAML text, to be broken one place at a time."""

from __future__ import annotations

from pathlib import Path

SYSTEM = """\
apiVersion: meshline/v1
kind: System
metadata: {name: shop}
spec:
  base_url: http://127.0.0.1:9
  operations:
    create-order:
      method: POST
      path: /orders
      guard: lookup
      external_id: answer.id
      find: {path: /orders, query: {ref: "{reference}"}, external_id: item.id}
    list-orders:
      method: GET
      path: /orders
      items: answer.items
"""
CONTRACT = """\
apiVersion: meshline/v1
kind: Contract
metadata: {name: deal}
spec:
  version: "1.0.0"
  system: shop
  types: [deal.won]
  object: order
  key: payload.id
  schema: {type: object}
"""
MAPPING = """\
apiVersion: meshline/v1
kind: Mapping
metadata: {name: deal-to-order}
spec:
  contract: deal
  object: order
  let:
    amount: mul(price, '2')
    price: payload.price
  fields: {id: payload.id, total: amount}
  amount: order.total
"""
POLICY = """\
apiVersion: meshline/v1
kind: Policy
metadata: {name: cap}
spec:
  object: order
  rules:
    - {name: large, when: "gt(order.total, '10')", verdict: hold, reason: too_large, message: "'too large'"}
"""
FLOW = """\
apiVersion: meshline/v1
kind: Flow
metadata: {name: deals}
spec:
  trigger: {contract: deal}
  mapping: deal-to-order
  policies: [cap]
  steps:
    - name: order
      system: shop
      operation: create-order
      reference: order.id
      document: {ref: order.id, total: order.total}
  reconcile:
    system: shop
    operation: list-orders
    key: item.ref
    ours: order.id
    fields: [{name: total, ours: order.total, theirs: item.total}]
"""
PEOPLE = """\
apiVersion: meshline/v1
kind: Person
metadata: {name: ada}
spec: {name: Ada Ames, role: flow_owner}
---
apiVersion: meshline/v1
kind: Person
metadata: {name: ben}
spec: {name: Ben Brown, role: admin}
---
apiVersion: meshline/v1
kind: Team
metadata: {name: finance, title: Finance}
spec: {members: [ada, ben], on_call: ada}
---
apiVersion: meshline/v1
kind: Owners
metadata: {name: deals}
spec:
  flow: deals
  sync_owner: {person: ada, fallback: ben}
  source_owner: {person: ada, fallback: ben}
  sink_owner: {team: finance, fallback: ben}
  platform_owner: {person: ben, fallback: ada}
---
apiVersion: meshline/v1
kind: Route
metadata: {name: default}
spec:
  rules: [{name: all, when: "true", queue: finance}]
---
apiVersion: meshline/v1
kind: Crosswalk
metadata: {name: names}
spec: {entity: order, system: shop, aliases: {A1: a-1}}
"""
ALL = {
    "system.yaml": SYSTEM,
    "contract.yaml": CONTRACT,
    "mapping.yaml": MAPPING,
    "policy.yaml": POLICY,
    "flow.yaml": FLOW,
    "people.yml": PEOPLE,
}


def write(folder: Path, **changed: tuple[str, str]) -> Path:
    """The set in a folder, with `file=(old, new)` replaced in that file. The old text must be there."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in ALL.items():
        old, new = changed.get(name.partition(".")[0], ("", ""))
        assert old in text, f"{old!r} is not in {name}"
        (folder / name).write_text(text.replace(old, new) if old else text, encoding="utf-8")
    return folder
