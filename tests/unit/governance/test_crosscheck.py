from pathlib import Path

import pytest

from syncflows.governance import crosscheck, files
from syncflows.governance.problems import path_text
from syncflows.governance.universe import Finding, Subject, Universe
from tests import governance_yaml


def findings(tmp_path: Path, **changed: tuple[str, str]) -> list[Finding]:
    loaded = files.load(governance_yaml.write(tmp_path, **changed))
    return crosscheck.check(Universe.of(Subject(one.kind, one.name, one.spec, one.metadata.labels) for one in loaded))


def test_check_finds_nothing_in_sound_definitions(tmp_path: Path) -> None:
    assert findings(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "old", "new", "path", "says"),
    [
        ("flow", "{contract: deal}", "{contract: deel}", "spec.trigger.contract", "Did you mean `deal`?"),
        ("flow", "mapping: deal-to-order", "mapping: nothing", "spec.mapping", "no Mapping `nothing`"),
        ("flow", "[cap]", "[kap]", "spec.policies[0]", "no Policy `kap`"),
        ("flow", "system: shop\n      operation", "system: shopp\n      operation", "spec.steps[0].system", "Did you mean `shop`?"),
        ("flow", "operation: create-order", "operation: create-ordr", "spec.steps[0].operation", "Did you mean `create-order`?"),
        ("flow", "operation: create-order", "operation: list-orders", "spec.steps[0].operation", "not one that writes"),
        ("flow", "operation: list-orders", "operation: create-order", "spec.reconcile.operation", "lists, with `items`"),
        ("flow", "reference: order.id", "reference: ordr.id", "spec.steps[0].reference", "Did you mean `order`?"),
        ("flow", "reference: order.id", "reference: steps['a'].x", "spec.steps[0].reference", "reads `steps`"),
        ("flow", "{ref: order.id,", "{ref: \"steps['order'].external_id\",", "spec.steps[0].document.ref", "not a step before"),
        ("flow", "key: item.ref", "key: order.id", "spec.reconcile.key", "Names here: item."),
        ("flow", "theirs: item.total", "theirs: order.total", "spec.reconcile.fields[0].theirs", "reads `order`"),
        ("flow", "{ref: order.id,", "{ref: \"delivered('order', order.id, 'shp')\",", "spec.steps[0].document.ref", "Did you mean `shop`?"),
        ("mapping", "contract: deal", "contract: del", "spec.contract", "no Contract `del`"),
        ("mapping", "id: payload.id", "id: order.id", "spec.fields.id", "reads `order`"),
        ("mapping", "price: payload.price", "price: paylod.price", "spec.let.price", "Did you mean `payload`?"),
        ("mapping", "price: payload.price", "price: \"lookup('ordr', payload.x)\"", "spec.let.price", "Did you mean `order`?"),
        ("mapping", "amount: order.total", "amount: \"lookup('order', '1').x\"", "spec.amount", "in `let` and `fields`"),
        ("mapping", "price: payload.price", "price: payload.price\n    steps: \"'1'\"", "spec.let.steps", "meaning of its own"),
        ("policy", "object: order", "object: invoice", "spec.policies[0]", "the mapping makes `order`"),
        ("policy", "order.total, '10'", "lines.total, '10'", "spec.rules[0].when", "reads `lines`"),
        ("contract", "key: payload.id", "key: body.id", "spec.key", "Names here: payload."),
        ("contract", "system: shop", "system: shp", "spec.system", "Did you mean `shop`?"),
        ("system", "external_id: answer.id", "external_id: answr.id", "spec.operations.create-order.external_id", "Did you mean `answer`?"),
        ("system", 'ref: "{reference}"', 'ref: "{referenz}"', "spec.operations.create-order.find.query.ref", "Did you mean `reference`?"),
        ("system", "guard: lookup", "guard: none", "spec.operations.create-order.guard", "cannot be made safe"),
        ("system", "      find: {", "#", "spec.operations.create-order.guard", "no `find`"),
        ("system", "guard: lookup", "guard: idempotency_key", "spec.operations.create-order.guard", "stands in no header"),
        ("system", "      external_id: answer.id\n", "", "spec.operations.create-order.external_id", "nothing says which"),
        ("people", "queue: finance", "queue: finanz", "spec.rules[0].queue", "no Team `finanz`"),
        ("people", 'when: "true"', "when: payload.x", "spec.rules[0].when", "Names here: failure."),
        ("people", "members: [ada, ben]", "members: [ada, bem]", "spec.members[1]", "Did you mean `ben`?"),
        ("people", "flow: deals", "flow: deels", "spec.flow", "Did you mean `deals`?"),
        ("people", "entity: order", "entity: orders", "spec.entity", "no mapping makes"),
    ],
)  # fmt: skip
def test_check_finds_what_leads_nowhere(tmp_path: Path, name: str, old: str, new: str, path: str, says: str) -> None:
    found = [one for one in findings(tmp_path, **{name: (old, new)}) if path_text(one.path) == path]
    assert found, findings(tmp_path, **{name: (old, new)})
    assert any(says in f"{one.message} {one.remedy}" and not one.is_warning for one in found), found


def test_check_takes_an_unsafe_write_that_somebody_accepted_as_a_warning(tmp_path: Path) -> None:
    text = "metadata: {name: shop}\n"
    (tmp_path / "x").mkdir()
    folder = governance_yaml.write(tmp_path / "x", system=("guard: lookup", "guard: none"))
    system = folder / "system.yaml"
    system.write_text(system.read_text().replace(text, "metadata: {name: shop, labels: {unsafe: accepted}}\n"))
    loaded = files.load(folder)
    universe = Universe.of(Subject(one.kind, one.name, one.spec, one.metadata.labels) for one in loaded)
    (found,) = crosscheck.check(universe)
    assert found.is_warning
    assert "cannot be made safe" in found.message


def test_check_warns_of_gaps_in_ownership(tmp_path: Path) -> None:
    found = findings(tmp_path, people=("{person: ben, fallback: ada}", "{person: ben}"))
    assert [(one.is_warning, path_text(one.path)) for one in found] == [(True, "spec.platform_owner")]


def test_check_lets_macros_bind_their_own_variables(tmp_path: Path) -> None:
    lines = 'id: "payload.lines.filter(l, l.total == payload.total).map(m, m.id)"'
    assert findings(tmp_path, mapping=("id: payload.id", lines)) == []


def test_check_leaves_operations_of_other_connectors_to_their_code(tmp_path: Path) -> None:
    changed = ("  base_url: http://127.0.0.1:9\n", "  connector: tryton\n")
    assert findings(tmp_path, system=changed, flow=("operation: create-order", "operation: sale")) == []


def test_check_refuses_two_contracts_for_one_type(tmp_path: Path) -> None:
    governance_yaml.write(tmp_path)
    (tmp_path / "two.yaml").write_text(governance_yaml.CONTRACT.replace("name: deal", "name: deal-two"))
    loaded = files.load(tmp_path)
    found = crosscheck.check(Universe.of(Subject(one.kind, one.name, one.spec) for one in loaded))
    assert ["deal.won" in one.message for one in found] == [True]
