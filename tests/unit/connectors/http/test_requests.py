"""Addresses, headers and bodies: what comes from a document changes the value it stands in, and nothing else."""

import json
from decimal import Decimal
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncflows.connectors.errors import Misconfigured, Rejected
from syncflows.connectors.http import requests

BASE = "https://erp.example.com/api"
HOSTILE = [
    "a/b",
    "a?b=c",
    "a&b=c",
    "a#b",
    "a\r\nX-Evil: 1",
    "a b",
    "ä",
    "%2e%2e%2f",
    "../..",
    "@evil.example",
    "{reference}",
    "x;y",
    "'\"",
]


def url(path: str, query: dict[str, str] | None = None, **values: str) -> str:
    return requests.build_url(base_url=BASE, path=path, query=query or {}, values=values, where="spec.operations.x")


@pytest.mark.parametrize("reference", HOSTILE)
def test_build_url_keeps_a_reference_within_its_segment_and_parameter(reference: str) -> None:
    parts = urlsplit(url("/orders/{reference}/lines?ref={reference}", {"q": "id:{reference}"}, reference=reference))
    assert (parts.scheme, parts.netloc, parts.fragment) == ("https", "erp.example.com", "")
    assert [unquote(part) for part in parts.path.split("/")] == ["", "api", "orders", reference, "lines"]
    assert parse_qs(parts.query) == {"ref": [reference], "q": [f"id:{reference}"]}


@given(st.text(min_size=1).filter(lambda text: text.strip() not in ("", ".", "..") and text.isprintable()))
def test_build_url_gives_back_any_reference(reference: str) -> None:
    parts = urlsplit(url("/o/{reference}", {"r": "{reference}"}, reference=reference))
    assert unquote(parts.path.rpartition("/")[2]) == reference
    assert parse_qs(parts.query) == {"r": [reference]}


@pytest.mark.parametrize("reference", ["", ".", "..", " .. "])
def test_build_url_refuses_a_reference_that_would_change_the_path(reference: str) -> None:
    with pytest.raises(Rejected) as refused:
        url("/orders/{reference}", reference=reference)
    assert "nothing was sent" in refused.value.message


def test_build_url_names_a_placeholder_without_value() -> None:
    with pytest.raises(Misconfigured, match="external_id"):
        url("/orders/{external_id}", reference="R-1")


def test_build_url_leaves_other_braces_alone() -> None:
    assert parse_qs(urlsplit(url("/o", {"filters": '{"ref": "{reference}"}'}, reference="R-1")).query) == {
        "filters": ['{"ref": "R-1"}']
    }


@pytest.mark.parametrize(
    "path", ["orders", "https://evil.example/x", "@evil.example/", "", "/a\r\nb", "/a#b", "\\\\evil"]
)
def test_check_path_refuses_what_could_lead_elsewhere(path: str) -> None:
    with pytest.raises(Misconfigured):
        requests.check_path(path, where="spec.operations.x.path")


def test_check_template_names_the_misspelt_placeholder() -> None:
    with pytest.raises(Misconfigured, match="refrence"):
        requests.check_template("/orders/{refrence}", where="spec.operations.x.path")


@pytest.mark.parametrize(
    "base", ["erp.example.com", "ftp://x", "https://user:pw@erp.example.com", "https://erp.example.com/?a=b", ""]
)
def test_check_base_url_refuses_what_is_no_plain_address(base: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        requests.check_base_url(base)
    assert "pw" not in refused.value.message.partition("may hold")[0]


def test_build_headers_refuses_a_line_break() -> None:
    with pytest.raises(Rejected):
        requests.build_headers({"Idempotency-Key": "{reference}"}, values={"reference": "a\r\nX-Evil: 1"}, where="x")


def test_build_headers_makes_ascii_of_anything() -> None:
    assert requests.build_headers({"X-Ref": "ref {reference}"}, values={"reference": "Käthe"}, where="x") == {
        "x-ref": "ref K%C3%A4the"
    }


def test_build_body_keeps_amounts_exact() -> None:
    body = requests.build_body(None, variables={}, default={"total": Decimal("1054.10"), "qty": 2}, where="x")
    assert body == b'{"total":"1054.10","qty":2}'


def test_build_body_makes_whole_numbers_where_the_expression_does() -> None:
    source = "{'qty': int(document.qty), 'total': document.total, 'ref': reference}"
    body = requests.build_body(
        source, variables={"document": {"qty": "2", "total": "0.10"}, "reference": "R"}, default=None, where="x"
    )
    assert json.loads(body or b"") == {"qty": 2, "total": "0.10", "ref": "R"}


def test_build_body_names_the_path_of_an_expression_that_fails() -> None:
    with pytest.raises(Misconfigured, match=r"spec\.operations\.x\.body.*total"):
        requests.build_body("document.total", variables={"document": {}}, default=None, where="spec.operations.x.body")


def test_trace_headers_pass_nothing_but_trace_context() -> None:
    given_headers = {"Traceparent": f"00-{'a' * 32}-{'b' * 16}-01", "Authorization": "Bearer x", "tracestate": "a\r\nb"}
    assert requests.trace_headers(given_headers) == {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}


def test_with_query_replaces_a_name_that_is_there() -> None:
    assert requests.with_query("http://h/p?page=1&x=a%26b", {"page": "2"}) == "http://h/p?x=a%26b&page=2"
