"""The differences between two JSON values, field by field. Pure."""

from __future__ import annotations

from typing import Any

Change = dict[str, Any]


def payload_diff(before: Any, after: Any, *, path: str = "") -> list[Change]:
    """A list of {path, before, after, kind}: kind added, removed or changed; paths like `lines[0].price`; nothing where they are equal."""
    if isinstance(before, dict) and isinstance(after, dict):
        return _of_objects(before, after, path)
    if isinstance(before, list) and isinstance(after, list):
        return _of_lists(before, after, path)
    if type(before) is type(after) and before == after:
        return []
    return [{"path": path or "(all)", "before": before, "after": after, "kind": "changed"}]


def _of_objects(before: dict[str, Any], after: dict[str, Any], path: str) -> list[Change]:
    changes: list[Change] = []
    for name in [*before, *(name for name in after if name not in before)]:
        where = f"{path}.{name}" if path else name
        if name not in after:
            changes.append({"path": where, "before": before[name], "after": None, "kind": "removed"})
        elif name not in before:
            changes.append({"path": where, "before": None, "after": after[name], "kind": "added"})
        else:
            changes += payload_diff(before[name], after[name], path=where)
    return changes


def _of_lists(before: list[Any], after: list[Any], path: str) -> list[Change]:
    changes: list[Change] = []
    for index in range(max(len(before), len(after))):
        where = f"{path}[{index}]"
        if index >= len(after):
            changes.append({"path": where, "before": before[index], "after": None, "kind": "removed"})
        elif index >= len(before):
            changes.append({"path": where, "before": None, "after": after[index], "kind": "added"})
        else:
            changes += payload_diff(before[index], after[index], path=where)
    return changes
