from pathlib import Path

import pytest

from syncflows.governance import files
from syncflows.governance.problems import BadDefinitions, Problem
from tests import governance_yaml


def problems_of(tmp_path: Path, text: str | bytes) -> list[Problem]:
    (tmp_path / "a.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    return files.read(tmp_path).problems


def test_load_reads_files_of_all_folders_and_all_documents(tmp_path: Path) -> None:
    governance_yaml.write(tmp_path / "deep" / "er")
    (tmp_path / "empty.yaml").write_text("# nothing here\n---\n")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "bad.yaml").write_text("[")
    found = {document.ident: document for document in files.load(tmp_path)}
    assert len(found) == 11
    assert found["Flow/deals"].file == "deep/er/flow.yaml"
    assert list(found["Mapping/deal-to-order"].spec.let) == ["price", "amount"]


@pytest.mark.parametrize(
    ("name", "old", "new", "line", "path", "says"),
    [
        ("flow", "reference: order.id", "refrence: order.id", 12, "spec.steps[0].refrence", "Did you mean `reference`?"),
        ("flow", "reference: order.id", "refrence: order.id", 9, "spec.steps[0].reference", "is missing"),
        ("flow", "kind: Flow", "kind: Flwo", 2, "kind", "Did you mean `Flow`?"),
        ("flow", "apiVersion: meshline/v1", "apiVersion: v2", 1, "apiVersion", "not one of 'meshline/v1'"),
        ("flow", "operation: create-order", "operation: no", 11, "spec.steps[0].operation", 'quotes if it is a text: "no"'),
        ("flow", "name: deals", "name: My Deals", 3, "metadata.name", "lower-case letters"),
        ("contract", 'version: "1.0.0"', "version: 1.0", 5, "spec.version", 'Put it in quotes: "1.0"'),
        ("contract", "key: payload.id", "key: payload.id +", 9, "spec.key", "at character"),
        ("contract", "key: payload.id", "key: paylod(payload)", 9, "spec.key", "does not exist. Functions:"),
        ("contract", "{type: object}", "{type: objct}", 10, "spec.schema", "not a JSON Schema"),
        ("contract", "object: order", "object: credit-memo", 8, "spec.object", "credit_memo"),
        ("mapping", "price: payload.price", "price: amount", 7, "spec.let", "in a circle"),
        ("mapping", "total: amount}", "total: 5}", 10, "spec.fields.total", "write it in quotes as CEL"),
        ("policy", "verdict: hold", "verdict: needs_approval", 7, "spec.rules[0]", "takes `approvers`"),
        ("policy", "verdict: hold", "verdict: hodl", 7, "spec.rules[0].verdict", "Did you mean `hold`?"),
        ("system", "guard: lookup", "guard: [lookup]", 10, "spec.operations.create-order.guard", "is not one of"),
        ("people", "role: flow_owner", "role: service", 4, "spec.role", "token create"),
        ("people", "{person: ada, fallback: ben}\n  source", "{team: finance}\n  source", 21, "spec.sync_owner", "one named person"),
    ],
)  # fmt: skip
def test_read_names_file_line_path_and_remedy(
    tmp_path: Path, name: str, old: str, new: str, line: int, path: str, says: str
) -> None:
    folder = governance_yaml.write(tmp_path, **{name: (old, new)})
    found = [problem for problem in files.read(folder).problems if problem.path == path]
    assert found, files.read(folder).problems
    assert found[0].file.startswith(name)
    assert found[0].line == line
    assert says in str(found[0])


def test_load_tells_all_problems_of_all_files_at_once(tmp_path: Path) -> None:
    governance_yaml.write(
        tmp_path, flow=("reference:", "refrence:"), policy=("verdict: hold", "verdict: x"), contract=("1.0.0", "1")
    )
    (tmp_path / "z.yaml").write_text("a: [")
    with pytest.raises(BadDefinitions) as caught:
        files.load(tmp_path)
    assert {problem.file for problem in caught.value.problems} == {
        "flow.yaml",
        "policy.yaml",
        "contract.yaml",
        "z.yaml",
    }
    assert "flow.yaml:12: spec.steps[0].refrence" in caught.value.message


def test_read_reports_one_union_branch_only(tmp_path: Path) -> None:
    governance_yaml.write(tmp_path, contract=("  key:", "  read: {when: {typ: date}}\n  key:"))
    assert [problem.path for problem in files.read(tmp_path).problems] == ["spec.read.when.typ"]


def test_read_refuses_a_name_defined_twice(tmp_path: Path) -> None:
    governance_yaml.write(tmp_path)
    (tmp_path / "more.yaml").write_text("# again\n" + governance_yaml.POLICY)
    (problem,) = files.read(tmp_path).problems
    assert (problem.file, problem.line, problem.ident) == ("policy.yaml", 3, "Policy/cap")
    assert "more.yaml:4" in problem.message


@pytest.mark.parametrize(
    ("scalar", "says"),
    [
        ("yes", "true to some"), ("NO", "false to some"), ("off", "false to some"), ("0123", "a different number"), ("1e3", "a different number"),
        ("0x1F", "a different number"), ("1_000", "a different number"), ("12:30:45", "a different number"), (".inf", "a different number"),
        (".nan", "a different number"), ("+5", "a different number"), ("!!python/name:os.system x", "not supported"), ("!!binary aGk=", "not supported"),
        ('"\\0"', "cannot be stored"), ('"\\ud800"', "cannot be stored"), ("!x {a: b}", "not supported"),
    ],
)  # fmt: skip
def test_read_refuses_scalars_that_surprise(tmp_path: Path, scalar: str, says: str) -> None:
    found = problems_of(tmp_path, f"kind: Flow\nmetadata: {{name: a}}\nspec: {{x: 1}}\nodd: {scalar}\n")
    assert any(problem.line == 4 and says in problem.message and problem.remedy for problem in found), found


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        (b"a:\n\tb: 1\n", 2, "replace the tab"),
        (b"a: 1\nb: 2\na: 3\n", 3, "stands twice; the first is at line 1"),
        (b"a: {<<: {b: 1}}\n", 1, "merge keys"),
        (b"? [1, 2]\n: x\n", 1, "a key must be a text"),
        (b"1: x\n", 1, "is not a text"),
        (b"a: &x [*x]\n", 1, "larger than"),
        (b"a: *nowhere\n", 1, "begins with `*` needs quotes"),
        (b"a: b: c\n", 1, "needs quotes"),
        (b"a: \x07\n", 1, "not allowed in YAML"),
        (b"\xff\xfea", 0, "not UTF-8"),
        (b"[" * 5000, 1, "nested deeper"),
        (b"- a\n- b\n", 1, "is a mapping with apiVersion"),
    ],
)
def test_read_refuses_what_is_not_plain_yaml(tmp_path: Path, text: bytes, line: int, says: str) -> None:
    found = problems_of(tmp_path, text)
    assert any(problem.line == line and says in str(problem) for problem in found), found


def test_read_refuses_a_bomb_of_aliases_quickly(tmp_path: Path) -> None:
    rows = [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    found = problems_of(tmp_path, "a0: &a0 [x]\n" + "\n".join(rows))
    assert "aliases" in found[0].message


def test_read_says_what_is_wrong_with_the_folder(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("x")
    assert "does not exist" in files.read(tmp_path / "nope").problems[0].message
    assert "is a file" in files.read(tmp_path / "note.txt").problems[0].message
    assert "no .yaml or .yml files" in files.read(tmp_path).problems[0].message
    (tmp_path / "a.yaml").write_text("# only a comment\n")
    assert "none with a definition" in files.read(tmp_path).problems[0].message


def test_read_goes_on_after_a_file_it_cannot_open(tmp_path: Path) -> None:
    governance_yaml.write(tmp_path)
    (tmp_path / "gone.yaml").symlink_to(tmp_path / "nowhere.yaml")
    reading = files.read(tmp_path)
    assert [problem.file for problem in reading.problems] == ["gone.yaml"]
    assert len(reading.documents) == 11
