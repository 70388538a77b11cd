from __future__ import annotations

import csv
import io

from django.test import Client

from tests.functional.pages.conftest import Company


def shown(client: Client, **filters: str) -> set[str]:
    return {run.canonical_key for run in client.get("/runs/", filters).context["runs"]}


def test_runs_are_narrowed_by_each_filter(as_charlie: Client, company: Company) -> None:
    assert shown(as_charlie) == {"D1", "D2", "D3", "D4"}
    assert shown(as_charlie, status="held") == {"D2"}
    assert shown(as_charlie, flow="nowhere") == set()
    assert shown(as_charlie, flow="nowhere,deals") == {"D1", "D2", "D3", "D4"}
    assert shown(as_charlie, key="d1") == {"D1"}
    assert shown(as_charlie, customer="النور") == {"D4"}
    assert shown(as_charlie, created_after="2999-01-01") == set()


def test_runs_with_a_filter_that_cannot_be_read_show_no_rows(as_charlie: Client, company: Company) -> None:
    answer = as_charlie.get("/runs/", {"status": "flying", "created_after": "yesterday"})
    assert list(answer.context["runs"]) == []
    assert "cannot be read" in answer.content.decode()


def test_runs_csv_holds_the_filtered_rows_and_no_formula(as_charlie: Client, company: Company) -> None:
    answer = as_charlie.get("/runs/export.csv", {"status": "failed"})
    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode("utf-8-sig"))))
    assert [row["key"] for row in rows] == ["D4"]
    assert rows[0]["amount"].startswith("100")
    assert not any(value.startswith(("=", "+", "@")) for value in rows[0].values())


def test_runs_pages_survive_an_unknown_cursor(as_charlie: Client, company: Company) -> None:
    assert as_charlie.get("/runs/", {"cursor": "run_\0nonsense"}).status_code == 200
