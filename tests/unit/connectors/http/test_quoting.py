"""What comes from a document can end no quotes of a query language."""

from urllib.parse import parse_qs, urlsplit

import pytest

from meshline.kernel.expressions import compiled
from syncflows.connectors.errors import Rejected
from syncflows.connectors.http import requests

HOSTILE = "x' OR Name != '"


def query(template: str, reference: str) -> str:
    url = requests.build_url(
        base_url="https://erp.example", path="/q", query={"q": template}, values={"reference": reference}, where="find"
    )
    return parse_qs(urlsplit(url).query)["q"][0]


def test_odata_doubles_quotes() -> None:
    assert query("Ref eq '{reference:odata}'", HOSTILE) == "Ref eq 'x'' OR Name != '''"


def test_soql_escapes_quotes_and_backslashes() -> None:
    assert query("Ref__c = '{reference:soql}'", "a'b\\c") == "Ref__c = 'a\\'b\\\\c'"


def test_bare_placeholder_in_quotes_takes_no_value_that_would_end_them() -> None:
    assert query("Ref = '{reference}'", "D-1") == "Ref = 'D-1'"
    with pytest.raises(Rejected, match="end the quotes"):
        query("Ref = '{reference}'", HOSTILE)
    assert query("{reference}", HOSTILE) == HOSTILE


def test_functions_give_literals() -> None:
    assert compiled("odata(x)").evaluate({"x": "O'Neil"}) == "'O''Neil'"
    assert compiled("soql(x)").evaluate({"x": "O'Neil"}) == "'O\\'Neil'"
