"""`manage.py flows`: what is printed, and when it counts as done."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from ownership.models import User
from syncflows.governance import editor_schemas
from syncflows.governance.models import Definition
from tests import governance_yaml
from tests.factories import people

pytestmark = pytest.mark.django_db
CHECKOUT = Path(__file__).resolve().parents[3]


def flows(*arguments: str) -> tuple[dict[str, Any], str, str]:
    """The JSON of the last line, the rest of standard output, standard error."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("flows", *arguments, stdout=out, stderr=err)
        why = ""
    except CommandError as error:
        why = f"exit 1: {error}"
    *before, last = out.getvalue().splitlines()
    return json.loads(last), "\n".join(before), err.getvalue() + why


def test_apply_prints_lists_and_counts(tmp_path: Path) -> None:
    folder = str(governance_yaml.write(tmp_path))
    dry, _, _ = flows("apply", folder, "--dry-run")
    assert (len(dry["created"]), dry["dry_run"], Definition.objects.count()) == (11, True, 0)
    done, _, err = flows("apply", folder)
    assert done["counts"] == {"created": 11, "updated": 0, "unchanged": 0, "refused": 0}
    assert "Flow/deals" in done["created"]
    assert "exit 1" not in err
    assert flows("apply", folder)[0]["counts"]["unchanged"] == 11


def test_apply_exits_1_with_every_problem(tmp_path: Path) -> None:
    folder = governance_yaml.write(tmp_path, flow=("refer", "rever"), policy=("verdict: hold", "verdict: x"))
    found, _, err = flows("apply", str(folder))
    assert found["refused"] == ["Flow/deals", "Policy/cap"]
    assert {problem["file"] for problem in found["problems"]} == {"flow.yaml", "policy.yaml"}
    assert "flow.yaml:12: spec.steps[0].reverence" in err
    assert "exit 1" in err


def test_apply_exits_1_for_a_broken_reference_and_changes_nothing(tmp_path: Path) -> None:
    found, _, err = flows("apply", str(governance_yaml.write(tmp_path, flow=("[cap]", "[kap]"))))
    assert (found["refused"], found["created"]) == (["Flow/deals"], [])
    assert "flow.yaml:7: spec.policies[0]: there is no Policy `kap`. Did you mean `cap`?" in err
    assert not Definition.objects.exists()


def test_apply_says_who_is_unknown(tmp_path: Path) -> None:
    alice = people.alice()
    found, _, err = flows("apply", str(governance_yaml.write(tmp_path)), "--by", "nobody")
    assert alice.username in found["error"]
    assert "exit 1" in err


def test_apply_by_a_person_signed_by_another(tmp_path: Path) -> None:
    folder = governance_yaml.write(tmp_path)
    flows("apply", str(folder))
    governance_yaml.write(tmp_path, policy=("'10'", "'20'"))
    refused, _, err = flows("apply", str(folder), "--by", "ada", "--sign-as", "ada")
    assert (refused["refused"], "four eyes" in err) == (["Policy/cap"], True)
    done, _, _ = flows("apply", str(folder), "--by", "ada", "--sign-as", "ben")
    assert done["updated"] == ["Policy/cap"]


@pytest.mark.parametrize("action", ["apply", "diff"])
def test_a_missing_or_empty_folder_exits_1(tmp_path: Path, action: str) -> None:
    assert "does not exist" in flows(action, str(tmp_path / "nope"))[2]
    found, _, err = flows(action, str(tmp_path))
    assert "no .yaml or .yml files" in err
    assert "exit 1" in err
    assert found["problems"]


def test_diff_shows_what_would_change(tmp_path: Path) -> None:
    folder = governance_yaml.write(tmp_path)
    assert len(flows("diff", str(folder))[0]["changed"]) == 11
    flows("apply", str(folder))
    assert flows("diff", str(folder))[0] == {"changed": [], "absent": []}
    governance_yaml.write(tmp_path, policy=("'10'", "'20'"))
    (folder / "people.yml").unlink()
    found, text, err = flows("diff", str(folder))
    assert found["changed"] == ["Policy/cap"]
    assert "Person/ada" in found["absent"]
    assert "-      when: gt(order.total, '10')" in text
    assert "+      when: gt(order.total, '20')" in text
    assert "exit 1" not in err


def test_export_then_apply_changes_nothing(tmp_path: Path) -> None:
    hostile = "say: \"no\", 'yes', 0123 # 1e3 🎉\n  second line\n"
    folder = governance_yaml.write(tmp_path / "in")
    text = governance_yaml.POLICY.replace(
        "{name: cap}", "{name: cap, description: " + json.dumps(hostile, ensure_ascii=False) + "}"
    )
    (folder / "policy.yaml").write_text(text)
    flows("apply", str(folder))
    out = tmp_path / "out"
    assert len(flows("export", str(out))[0]["exported"]) == 11
    assert (out / "policy" / "cap.yaml").is_file()
    assert flows("diff", str(out))[0] == {"changed": [], "absent": []}
    assert flows("apply", str(out))[0]["counts"]["unchanged"] == 11
    texts = {path: path.read_bytes() for path in out.rglob("*.yaml")}
    flows("export", str(out))
    assert {path: path.read_bytes() for path in out.rglob("*.yaml")} == texts


def test_export_without_definitions_or_a_folder_exits_1(tmp_path: Path) -> None:
    assert "no definitions to export" in flows("export", str(tmp_path))[2]
    flows("apply", str(governance_yaml.write(tmp_path / "in")))
    (tmp_path / "file").write_text("x")
    assert "cannot be written" in flows("export", str(tmp_path / "file"))[2]


def test_schemas_are_fresh() -> None:
    assert flows("schemas", "--check")[0] == {"stale": []}


def test_schemas_check_names_stale_files(tmp_path: Path) -> None:
    flows("schemas", str(tmp_path))
    (tmp_path / "flow.schema.json").write_text("{}")
    (tmp_path / editor_schemas.ALL).unlink()
    found, _, err = flows("schemas", str(tmp_path), "--check")
    assert found["stale"] == ["flow.schema.json", editor_schemas.ALL]
    assert "exit 1" in err


@pytest.mark.parametrize("name", ["demo", "crm_sales"])
def test_examples_apply_export_and_apply_again(tmp_path: Path, name: str) -> None:
    folder = str(CHECKOUT / "docs" / "examples" / name)
    first, _, err = flows("apply", folder)
    assert (first["refused"], first["warnings"], "exit 1" in err) == ([], [], False)
    assert not User.objects.get(username="dana").has_usable_password()
    flows("export", str(tmp_path))
    again, _, _ = flows("apply", str(tmp_path))
    assert again["counts"] == {"created": 0, "updated": 0, "unchanged": len(first["created"]), "refused": 0}
