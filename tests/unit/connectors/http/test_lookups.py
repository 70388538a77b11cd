"""Whether a found document carries the reference. A wrong "none" would be a second order."""

from typing import Any

import pytest

from syncflows.connectors.errors import Misconfigured
from syncflows.connectors.http import lookups
from syncflows.governance.schemas.systems import Find


def ids(answer: Any, *, reference: str = "R-1", **settings: Any) -> list[str]:
    find = Find(**{"path": "/orders", "query": {"ref": "{reference}"}, "external_id": "item.id", **settings})
    return [
        found.external_id
        for found in lookups.read(find, answer=answer, headers={}, status=200, reference=reference, where="find")
    ]


def test_read_keeps_those_that_show_the_reference() -> None:
    items = [{"id": 1, "ref": "R-1"}, {"id": 2, "ref": "R-10"}, {"id": 3, "more": {"refs": ["x", "R-1"]}}]
    assert ids({"items": items}) == ["1", "3"]


@pytest.mark.parametrize("items", [[], None])
def test_read_of_none(items: Any) -> None:
    assert ids({"items": items}) == []


@pytest.mark.parametrize("count", [1, 2])
def test_read_never_says_none_where_the_system_ignored_the_query(count: int) -> None:
    with pytest.raises(Misconfigured, match="ignore the query"):
        ids({"items": [{"id": n, "ref": f"OTHER-{n}"} for n in range(count)]})


def test_read_by_address_trusts_the_one_document() -> None:
    assert ids({"id": 7}, path="/orders/by-ref/{reference}", items="answer") == ["7"]


def test_read_asks_match_where_there_is_one() -> None:
    items = [{"id": 1, "note": "ours: R-1"}, {"id": 2, "note": "ours: R-2"}]
    assert ids({"items": items}, match="item.note.endsWith(' ' + reference)") == ["1"]
    assert ids({"items": [{"id": 9}]}, match="true") == ["9"]


@pytest.mark.parametrize(
    ("answer", "path"),
    [
        ({"rows": []}, "items"),
        ({"items": 5}, "items"),
        ({"items": [1]}, "items"),
        ({"items": [{"ref": "R-1"}]}, "external_id"),
        ({"items": [{"ref": "R-1", "id": None}]}, "external_id"),
    ],
)
def test_read_names_the_path_of_what_does_not_fit(answer: Any, path: str) -> None:
    with pytest.raises(Misconfigured, match=path):
        ids(answer)
