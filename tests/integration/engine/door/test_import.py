"""`manage.py ingest` on files as they come."""

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from syncflows import hooks
from syncflows.engine.enums import EventStatus
from syncflows.engine.files import imports
from syncflows.engine.models import Event, Run, SourceFile
from syncflows.governance.enums import Kind
from tests.integration.engine.door import doorstep

CHECKOUT = Path(__file__).resolve().parents[4]
SALES = CHECKOUT.parent / "shared/data/crm_sales_opportunities/sales_pipeline.csv"
HEADER = "deal_id,amount,closed,note\n"
Import = Callable[..., dict[str, int]]


@pytest.fixture
def load(db: None, capsys: pytest.CaptureFixture[str]) -> Import:
    doorstep.crm()

    def run(path: Path, **options: Any) -> dict[str, int]:
        out = io.StringIO()
        call_command("ingest", str(path), "--system", options.pop("system", "crm"), stdout=out, **options)
        found: dict[str, int] = json.loads(out.getvalue().splitlines()[-1])
        return found

    return run


def write(folder: Path, name: str, content: str | bytes, encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


def counts(read: int, accepted: int, duplicate: int = 0, quarantined: int = 0) -> dict[str, int]:
    return {"read": read, "accepted": accepted, "duplicate": duplicate, "quarantined": quarantined}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
@pytest.mark.parametrize(("delimiter", "line_end"), [(",", "\n"), (";", "\r\n"), ("\t", "\r")])
def test_csv_is_read_in_any_encoding_delimiter_and_line_end(
    load: Import, tmp_path: Path, encoding: str, delimiter: str, line_end: str
) -> None:
    rows = [
        "deal_id,amount,closed,note",
        "D1,1054.10,2026-11-30,Müller & Söhne Straße",
        'D2,5,,"zwei\nZeilen, ""genau"""',
        "D3,6,,plain",
    ]
    text = line_end.join(
        row.replace(",", delimiter)
        if '"' not in row
        else f'D2{delimiter}5{delimiter}{delimiter}"zwei\nZeilen, ""genau"""'
        for row in rows
    )
    assert load(write(tmp_path, "deals.csv", text + line_end, encoding)) == counts(3, 3)
    notes = dict(Event.objects.values_list("canonical_key", "payload__note"))
    assert notes == {"D1": "Müller & Söhne Straße", "D2": 'zwei\nZeilen, "genau"', "D3": "plain"}


def test_csv_with_excels_hint_and_trailing_commas(load: Import, tmp_path: Path) -> None:
    assert load(write(tmp_path, "deals.csv", "sep=;\r\ndeal_id;amount;;\r\nD1;5;;\r\n;;;\r\n\r\nD2;6;;\r\n")) == counts(
        2, 2
    )


def test_bad_rows_are_quarantined_with_their_lines_and_the_rest_goes_on(
    load: Import, tmp_path: Path, failures: list[hooks.Failure]
) -> None:
    content = (
        HEADER.encode()
        + b'D1,5,,ok\nD2,6\nD3,7,,x,y\nD4,five,,\n,5,,\nD5,5,,nul\x00\nD6,5,,"never closed\nD7,5,,ok\nD8,5,,\xff\xfe\nD9,8,,M\xc3\xbcller\n'
    )
    path = write(tmp_path, "deals.csv", content)
    assert load(path) == counts(10, 3, quarantined=7)
    assert [(failure.context["line"], failure.reason) for failure in failures] == [
        (3, "malformed_row"), (4, "malformed_row"), (5, "unreadable_field"), (6, "key_missing"), (7, "malformed_event"), (8, "malformed_row"), (10, "malformed_row"),
    ]  # fmt: skip
    assert all("deals.csv line" in failure.context["origin"] for failure in failures)
    kept = Event.objects.filter(status=EventStatus.QUARANTINED).order_by("id")
    assert list(kept.values_list("raw", flat=True))[:2] == ["D2,6", "D3,7,,x,y"]
    assert load(path) == counts(10, 0, duplicate=10)
    assert len(failures) == 7


def test_huge_cell_is_quarantined_alone(load: Import, tmp_path: Path, failures: list[hooks.Failure]) -> None:
    content = f'{HEADER}D1,5,,{"x" * 5_000_000}\nD2,5,,ok\nD3,5,,"{"y" * 300_000}"\n'
    assert load(write(tmp_path, "deals.csv", content)) == counts(3, 2, quarantined=1)
    assert "longer" in failures[0].message


def test_json_lines_and_arrays_lose_only_their_bad_elements(
    load: Import, tmp_path: Path, failures: list[hooks.Failure]
) -> None:
    elements = [
        '{"deal_id": "D1", "amount": 5.10}',
        '{"deal_id": "D2", "amount": NaN}',
        "7",
        '{"deal_id": "D3", "deal_id": "D4"}',
        '{"deal_id": "D5", "amount": 1e9}',
    ]
    jsonl = write(tmp_path, "deals.jsonl", "\r\n\r\n".join(elements))
    assert load(jsonl) == counts(5, 2, quarantined=3)
    assert [failure.context["line"] for failure in failures] == [3, 5, 7]
    array = write(tmp_path, "deals.json", "[" + ",\n".join(elements) + "]\n")
    assert load(array) == counts(5, 0, duplicate=5)
    assert load(write(tmp_path, "cut.json", '[{"deal_id": "D6", "amount": 5}, {"deal_id": "D')) == counts(
        2, 1, quarantined=1
    )
    assert load(write(tmp_path, "one.json", '{"deal_id": "D7", "amount": 5}')) == counts(1, 1)


@pytest.mark.parametrize(
    ("name", "content", "options", "told"),
    [
        ("deals.csv", "id,value\n1,2\n", {}, "lacks deal_id, amount"),
        ("deals.csv", "id,value\n1,2\n", {"type": "deal.won"}, "lacks deal_id, amount"),
        ("deals.csv", HEADER, {"type": "deal.stolen"}, "deal.stolen"),
        ("deals.csv", HEADER, {"system": "shop"}, "no System named 'shop'"),
        ("deals.csv", "deal_id,amount,amount\n", {}, "amount twice"),
        ("deals.csv", "deal_id,,amount\n", {}, "Column 2"),
        ("deals.csv", "", {}, "empty"),
        ("deals.xlsx", "PK", {}, "none of"),
        ("deals.csv", b"PK\x03\x04zip", {}, "workbook"),
    ],
)
def test_file_that_cannot_be_read_at_all_is_refused(
    load: Import, tmp_path: Path, name: str, content: str | bytes, options: dict[str, str], told: str
) -> None:
    with pytest.raises(CommandError, match=told) as caught:
        load(write(tmp_path, name, content), **options)
    assert caught.value.returncode == 1
    assert not Event.objects.exists()
    with pytest.raises(CommandError, match="No such file"):
        load(tmp_path / "absent.csv")


def test_import_refuses_to_interleave_with_another(load: Import, tmp_path: Path) -> None:
    found = imports.plan(write(tmp_path, "deals.csv", HEADER + "D1,5,,\n"), system="crm")
    progress = imports.begin(found)
    SourceFile.objects.update(position=1)
    with pytest.raises(imports.ImportedElsewhere, match="another process"):
        imports.run(found, progress, tell=lambda position: None)
    assert not Event.objects.exists()


SALES_CONTRACT = {
    "version": "1.0.0", "system": "sales", "types": ["opportunity.changed"], "object": "order", "csv": {"columns": ["opportunity_id", "deal_stage", "close_value"]},
    "read": {
        "engage_date": {"type": "date", "formats": ["%Y-%m-%d", "%m/%d/%Y"]}, "close_date": {"type": "date", "formats": ["%Y-%m-%d", "%m/%d/%Y"]},
        "close_value": "decimal", "account": "text",
    },
    "key": "payload.opportunity_id", "schema": {"type": "object"},
}  # fmt: skip


@pytest.mark.skipif(not SALES.exists(), reason="../shared/data is not here")
def test_sales_pipeline_and_its_mangled_copy_are_the_same_8800_events(load: Import, tmp_path: Path) -> None:
    doorstep.activate(Kind.SYSTEM, "sales", doorstep.SYSTEM)
    doorstep.activate(Kind.CONTRACT, "sales-opportunity", SALES_CONTRACT)
    assert load(SALES, system="sales") == counts(8800, 8800)
    assert load(SALES, system="sales") == counts(8800, 0, duplicate=8800)
    assert load(write(tmp_path, "mangled.csv", _mangled(SALES.read_text()), "cp1252"), system="sales") == counts(
        8800, 0, duplicate=8800
    )
    assert Event.objects.count() == 8800


def _mangled(text: str) -> str:
    """As Excel saves it: M/D/YYYY, LF."""
    return "\n".join(",".join(map(_american, line.split(","))) for line in text.splitlines()) + "\n"


def _american(cell: str) -> str:
    try:
        day = date.fromisoformat(cell)
    except ValueError:
        return cell
    return f"{day.month}/{day.day}/{day.year}"


@pytest.mark.django_db(transaction=True)
def test_import_killed_in_the_middle_goes_on_where_it_was(tmp_path: Path) -> None:
    doorstep.crm()
    path = write(tmp_path, "deals.csv", HEADER + "".join(f"D{number},5,2026-11-30,\n" for number in range(3000)))
    importer = _start(path)
    deadline = time.monotonic() + 60
    while Event.objects.count() < 500 and importer.poll() is None and time.monotonic() < deadline:
        threading.Event().wait(0.05)
    importer.send_signal(signal.SIGKILL)
    importer.communicate()
    stored = Event.objects.count()
    assert importer.returncode == -signal.SIGKILL
    assert 500 <= stored < 3000
    assert SourceFile.objects.get().position == stored

    again = _start(path)
    out, err = again.communicate(timeout=60)
    assert (again.returncode, json.loads(out.splitlines()[-1])) == (0, counts(3000 - stored, 3000 - stored))
    assert f"going on after row {stored:,}" in err
    assert Event.objects.count() == Run.objects.count() == 3000


def test_import_without_database_exits_2(tmp_path: Path) -> None:
    down = _start(write(tmp_path, "deals.csv", HEADER), DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    out, err = down.communicate(timeout=60)
    assert (down.returncode, out) == (2, "")
    assert "database does not answer" in err


def _start(path: Path, **environment: str) -> "subprocess.Popen[str]":
    """The command in a process of its own, on this test's database."""
    found = connection.settings_dict
    url = os.environ["DATABASE_URL"].replace(
        f"/{os.environ['DATABASE_URL'].split('/')[3].split('?')[0]}", f"/{found['NAME']}", 1
    )
    return subprocess.Popen(
        [sys.executable, "manage.py", "ingest", str(path), "--system", "crm"], cwd=CHECKOUT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "DATABASE_URL": url, **environment},
    )  # fmt: skip
