import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from django.db import connections

from meshline.audit import ledger
from meshline.audit.models import AuditEvent
from meshline.kernel import actors
from ownership.enums import Role
from ownership.models import FlowOwner, System, Team, User
from syncflows.governance import apply, catalog, files
from syncflows.governance.apply import Summary
from syncflows.governance.enums import Kind, VersionState
from syncflows.governance.models import Definition, DefinitionVersion
from tests import governance_yaml
from tests.factories import people

pytestmark = pytest.mark.django_db
CLI = actors.system("command line")


def applied(folder: Path, *, by: actors.Actor = CLI, signed_by: Sequence[str] = (), **options: Any) -> Summary:
    return apply.apply(files.load(folder), by=by, signed_by=signed_by, **options)


def refused_because(summary: Summary, text: str) -> None:
    assert summary.refused
    assert text in str(summary.problems[0])
    assert (summary.created, summary.updated, summary.unchanged) == ([], [], [])


def test_apply_makes_first_versions_and_what_follows_from_them(tmp_path: Path) -> None:
    summary = applied(governance_yaml.write(tmp_path))
    assert len(summary.created) == 11
    assert (summary.refused, summary.warnings) == ([], [])
    assert catalog.current().get(Kind.FLOW, "deals").number == 1
    ada = User.objects.get(username="ada")
    assert (ada.get_full_name(), ada.role, ada.has_usable_password()) == ("Ada Ames", Role.FLOW_OWNER, False)
    team = Team.objects.get(name="finance")
    assert (team.title, team.on_call, set(team.members.all())) == (
        "Finance",
        ada,
        set(User.objects.filter(username__in=["ada", "ben"])),
    )
    assert System.objects.get(name="shop").connector == "http"
    assert FlowOwner.objects.filter(flow="deals").count() == 4
    assert AuditEvent.objects.filter(act="definition.applied", object_id="Flow/deals").count() == 1
    assert ledger.verify().bad_number is None


def test_apply_again_changes_nothing(tmp_path: Path) -> None:
    folder = governance_yaml.write(tmp_path)
    applied(folder)
    before = (AuditEvent.objects.count(), User.history.count(), Team.history.count(), FlowOwner.history.count())
    summary = applied(folder)
    assert len(summary.unchanged) == 11
    assert (summary.created, summary.updated) == ([], [])
    assert DefinitionVersion.objects.count() == 11
    assert (AuditEvent.objects.count(), User.history.count(), Team.history.count(), FlowOwner.history.count()) == before


def test_apply_retires_the_version_before(tmp_path: Path) -> None:
    applied(governance_yaml.write(tmp_path))
    summary = applied(governance_yaml.write(tmp_path, policy=("'10'", "'20'")))
    assert summary.updated == ["Policy/cap"]
    versions = DefinitionVersion.objects.filter(definition__name="cap").order_by("number")
    assert [(row.number, row.state) for row in versions] == [(1, VersionState.RETIRED), (2, VersionState.ACTIVE)]
    assert catalog.current().get(Kind.POLICY, "cap").spec.rules[0].when == "gt(order.total, '20')"


def test_apply_keeps_what_people_decided(tmp_path: Path) -> None:
    folder = governance_yaml.write(tmp_path)
    applied(folder)
    ada = User.objects.get(username="ada")
    ada.set_password("correct horse")
    ada.save()
    System.objects.filter(name="shop").update(state="paused")
    applied(
        governance_yaml.write(
            tmp_path, people=("name: Ada Ames", "name: Ada Lund"), system=("name: shop}", "name: shop, title: Shop}")
        )
    )
    ada.refresh_from_db()
    assert (ada.get_full_name(), ada.check_password("correct horse")) == ("Ada Lund", True)
    assert System.objects.values_list("title", "state").get(name="shop") == ("Shop", "paused")


def test_apply_of_fewer_files_deletes_nothing(tmp_path: Path) -> None:
    folder = governance_yaml.write(tmp_path)
    applied(folder)
    (folder / "flow.yaml").unlink()
    assert applied(folder).refused == []
    assert catalog.current().get(Kind.FLOW, "deals").spec.live


def test_apply_checks_what_is_in_force_against_what_is_new(tmp_path: Path) -> None:
    folder = governance_yaml.write(tmp_path)
    applied(folder)
    for name in governance_yaml.ALL:
        if name != "system.yaml":
            (folder / name).unlink()
    system = folder / "system.yaml"
    system.write_text(system.read_text().replace("create-order:", "make-order:"))
    summary = applied(folder)
    refused_because(summary, "has no operation `create-order`")
    assert summary.refused == ["Flow/deals"]
    assert summary.problems[0].file == "(in force)"
    assert DefinitionVersion.objects.filter(definition__name="shop").count() == 1


def test_apply_refuses_all_when_one_is_refused(tmp_path: Path) -> None:
    refused_because(applied(governance_yaml.write(tmp_path, flow=("[cap]", "[kap]"))), "no Policy `kap`")
    assert not Definition.objects.exists()
    assert not User.objects.filter(username="ada").exists()


def test_apply_dry_run_says_the_same_and_writes_nothing(tmp_path: Path) -> None:
    folder = governance_yaml.write(tmp_path)
    assert len(applied(folder, dry_run=True).created) == 11
    assert not Definition.objects.exists()
    assert not User.objects.filter(username="ada").exists()
    assert not AuditEvent.objects.filter(act="definition.applied").exists()


def test_apply_records_author_and_signers(tmp_path: Path) -> None:
    author, signer = people.person("Rob Roe", role=Role.ADMIN), people.bob()
    applied(governance_yaml.write(tmp_path), by=actors.of(author), signed_by=[signer.username])
    version = DefinitionVersion.objects.get(definition__name="deals", definition__kind=Kind.FLOW)
    assert (version.created_by, version.signed_by) == ("Rob Roe", [signer.username])


def test_apply_refuses_signatures_that_do_not_count(tmp_path: Path) -> None:
    author, folder = people.person("Rob Roe", role=Role.ADMIN), governance_yaml.write(tmp_path)
    by = actors.of(author)
    refused_because(applied(folder, by=by, signed_by=[author.username]), "four eyes")
    refused_because(applied(folder, by=by, signed_by=["nobody"]), "no active person 'nobody'")
    gone = people.person("Gus Gone", is_active=False)
    refused_because(applied(folder, by=by, signed_by=[gone.username]), "no active person")
    assert not Definition.objects.exists()


def test_apply_refuses_an_author_who_may_not(tmp_path: Path) -> None:
    folder = governance_yaml.write(tmp_path)
    refused_because(applied(folder, by=actors.of(people.charlie())), "may not change flows")
    owner = people.person("Flo Owner", role=Role.FLOW_OWNER)
    refused_because(applied(folder, by=actors.of(owner)), "Only an admin may make ben an admin")
    assert not Definition.objects.exists()


def test_apply_refuses_a_person_named_as_a_service(tmp_path: Path) -> None:
    people.person(username="ada", role=Role.SERVICE)
    refused_because(applied(governance_yaml.write(tmp_path)), "identity of an API token")
    assert not Definition.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_apply_by_several_at_once_makes_one_version_each(tmp_path: Path) -> None:
    folders = [governance_yaml.write(tmp_path / str(number), policy=("'10'", f"'{number}'")) for number in range(4)]
    failures: list[Exception] = []

    def work(folder: Path) -> None:
        try:
            applied(folder)
        except Exception as error:  # noqa: BLE001 - the thread's own; asserted on below
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(folder,)) for folder in folders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failures == []
    versions = DefinitionVersion.objects.filter(definition__name="cap").order_by("number")
    assert [row.number for row in versions] == [1, 2, 3, 4]
    assert [row.state for row in versions].count(VersionState.ACTIVE) == 1
    assert DefinitionVersion.objects.filter(definition__name="deals", definition__kind=Kind.FLOW).count() == 1
