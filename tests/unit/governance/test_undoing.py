"""What is said of undos when a flow is applied: whether they exist, are safe, and read only what will be there."""

from pathlib import Path

import pytest

from syncflows.governance import crosscheck, files
from syncflows.governance.problems import path_text
from syncflows.governance.universe import Finding, Subject, Universe
from tests.integration.engine.halves import company

SOUND = {
    "@URL@": "http://127.0.0.1:9",
    "@READ_S@": "1",
    "@SETTLE_S@": "1",
    "@ATTEMPTS@": "3",
    "@ON_PARTIAL@": "compensate",
    "@REQUIRED@": "true",
}


def findings(folder: Path, old: str = "", new: str = "") -> list[Finding]:
    text = company.DEFINITIONS
    for name, value in SOUND.items():
        text = text.replace(name, value)
    assert old in text
    (folder / "halves.yaml").write_text(text.replace(old, new, 1))
    loaded = files.load(folder)
    return crosscheck.check(Universe.of(Subject(one.kind, one.name, one.spec, one.metadata.labels) for one in loaded))


def test_step_without_undo_in_a_compensating_flow_is_said_aloud(tmp_path: Path) -> None:
    said = [(path_text(found.path), found.is_warning) for found in findings(tmp_path) if "no `undo`" in found.message]
    assert said == [("spec.steps[0]", True)]
    assert not [
        found
        for found in findings(tmp_path, "      on_change: ignore\n", "      on_change: ignore\n      stays: true\n")
        if "no `undo`" in found.message
    ]


@pytest.mark.parametrize(
    ("old", "new", "path", "says"),
    [
        ("undo: {operation: cancel-order}", "undo: {operation: cancel-ordr}", "spec.steps[1].undo.operation", "Did you mean `cancel-order`?"),
        ("undo: {operation: cancel-order}", "undo: {operation: cancel-invoice}", "spec.steps[1].undo.operation", "takes back `create-invoice`"),
        ("undo: {operation: cancel-order}", "undo: {operation: create-customer}", "spec.steps[1].undo.operation", "does not say what it takes back"),
        ("undo: {operation: cancel-order}", "undo: {operation: cancel-order, when: \"steps['invoice'].external_id != ''\"}", "spec.steps[1].undo.when", "not a step before"),
        ("undo: {operation: cancel-order}", "undo: {operation: cancel-order, document: {x: lookup_name}}", "spec.steps[1].undo.document.x", "reads `lookup_name`"),
        ("undoes: create-order", "undoes: create-ordr", "spec.operations.cancel-order.undoes", "no write of this System"),
        ("undoes: create-order", "guard: none\n      undoes: create-order", "spec.steps[1].undo.operation", "guard `none`"),
        ('{external_id: "{reference}"}', '{q: "ref eq \'{reference}\'"}', "spec.operations.create-customer.find.query.q", "{reference:odata}"),
    ],
)  # fmt: skip
def test_undo_that_cannot_work_is_refused(tmp_path: Path, old: str, new: str, path: str, says: str) -> None:
    found = [one for one in findings(tmp_path, old, new) if path_text(one.path) == path]
    assert any(says in f"{one.message} {one.remedy}" and not one.is_warning for one in found), found
