"""CloudEvents 1.0.2, by the specification's own examples and rules."""

import base64
import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshline.kernel import jsontext
from syncflows.engine import cloudevents
from syncflows.engine.cloudevents import BadEvent, CloudEvent, WrongMedia

SCHEMA = Path(__file__).resolve().parents[4] / "shared/wire/cloudevents/cloudevents.json"
# JSON Event Format 1.0.2, section 3.2: with JSON data instead of XML.
EXAMPLE: dict[str, Any] = {
    "specversion": "1.0", "type": "com.example.someevent", "source": "/mycontext", "subject": None, "id": "C234-1234-1234", "time": "2018-04-05T17:31:00Z",
    "comexampleextension1": "value", "comexampleothervalue": 5, "datacontenttype": "application/json", "data": {"appinfoA": "abc", "appinfoB": 123},
}  # fmt: skip
HEADERS = {
    "ce-specversion": "1.0", "ce-type": "com.example.someevent", "ce-source": "/mycontext", "ce-id": "C234-1234-1234", "Content-Type": "application/json; charset=utf-8",
}  # fmt: skip


def without(*names: str, **values: Any) -> dict[str, Any]:
    return {name: value for name, value in {**EXAMPLE, **values}.items() if name not in names}


def wrong(value: Any) -> list[str]:
    with pytest.raises(BadEvent) as caught:
        cloudevents.structured(value)
    return [error["field"] for error in caught.value.context["errors"]]


def test_structured_reads_the_specifications_example() -> None:
    event = cloudevents.structured(EXAMPLE)
    assert event == CloudEvent(
        "C234-1234-1234", "/mycontext", "com.example.someevent", {"appinfoA": "abc", "appinfoB": 123}, "", dt.datetime(2018, 4, 5, 17, 31, tzinfo=dt.UTC), "",
        {"comexampleextension1": "value", "comexampleothervalue": 5},
    )  # fmt: skip


@pytest.mark.parametrize("name", ["id", "source", "specversion", "type"])
@pytest.mark.parametrize("value", [None, "", "  ", 5, True, [], {}])
def test_structured_needs_each_required_attribute(name: str, value: Any) -> None:
    assert wrong(without(name)) == [name]
    assert wrong({**EXAMPLE, name: value}) == [name]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"specversion": "0.3"}, "specversion"),
        ({"time": "2018-04-05"}, "time"),
        ({"time": "2018-04-05T17:31:00"}, "time"),
        ({"time": "2018-13-05T17:31:00Z"}, "time"),
        ({"time": "0001-01-01T00:00:00+10:00"}, "time"),
        ({"time": 1522949460}, "time"),
        ({"subject": ""}, "subject"),
        ({"source": "a b"}, "source"),
        ({"dataschema": "<x>"}, "dataschema"),
        ({"datacontenttype": "text/xml", "data": "<a/>"}, "datacontenttype"),
        ({"Upper": "x"}, "Upper"),
        ({"with-dash": "x"}, "with-dash"),
        ({"": "x"}, "(empty name)"),
        ({"extension": {"a": 1}}, "extension"),
        ({"extension": [1]}, "extension"),
        ({"extension": Decimal("1.5")}, "extension"),
        ({"extension": 2**31}, "extension"),
        ({"data_base64": "e30="}, "data_base64"),
    ],
)
def test_structured_names_what_is_wrong(values: dict[str, Any], field: str) -> None:
    assert wrong({**EXAMPLE, **values}) == [field]


def test_structured_names_everything_at_once() -> None:
    assert wrong({"id": 1, "time": "now", "X": 1}) == ["id", "source", "specversion", "type", "time", "X"]


@pytest.mark.parametrize("value", [None, [], "text", 5])
def test_structured_refuses_what_is_no_object(value: Any) -> None:
    assert wrong(value) == ["the event"]


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("e30=", []),
        ("not base64", ["data_base64"]),
        ("e3", ["data_base64"]),
        ("ew==", ["data_base64"]),
        (5, ["data_base64"]),
    ],
)
def test_structured_reads_base64_data(text: Any, fields: list[str]) -> None:
    value = without("data", data_base64=text)
    assert (wrong(value) if fields else cloudevents.structured(value).data) == (fields or {})


def test_structured_takes_offsets_fractions_and_leap_seconds() -> None:
    times = ["2018-04-05T19:31:00.123456789+02:00", "2016-12-31T23:59:60Z", "2018-04-05t17:31:00z"]
    found = [cloudevents.structured(without(time=text)).time for text in times]
    assert [moment.isoformat() for moment in found if moment] == [
        "2018-04-05T17:31:00.123456+00:00",
        "2016-12-31T23:59:59+00:00",
        "2018-04-05T17:31:00+00:00",
    ]


def test_batch_answers_for_each_event() -> None:
    good, bad, worse = cloudevents.batch([EXAMPLE, without("type"), 5])
    assert isinstance(good, CloudEvent)
    assert isinstance(bad, BadEvent)
    assert (bad.source, bad.event_id, bad.data) == ("/mycontext", "C234-1234-1234", EXAMPLE["data"])
    assert isinstance(worse, BadEvent)
    with pytest.raises(BadEvent, match="array"):
        cloudevents.batch(EXAMPLE)


def test_binary_keeps_numbers_exact_and_decodes_headers() -> None:
    headers = {**HEADERS, "CE-Subject": '"Euro%20%E2%82%AC%20%22x%22"', "ce-comexampleextension1": "a%2541"}
    event = cloudevents.binary(headers, b'{"amount": 1054.10}')
    assert (event.data, event.subject, event.extensions) == (
        {"amount": Decimal("1054.10")},
        'Euro € "x"',
        {"comexampleextension1": "a%41"},
    )
    assert cloudevents.binary(HEADERS, b"").data is None


@pytest.mark.parametrize(
    ("headers", "body", "error"),
    [
        ({"Content-Type": "text/xml"}, b"<a/>", WrongMedia),
        ({"Content-Type": "application/json; charset=utf-16"}, b"{}", WrongMedia),
        ({"ce-subject": "%FF"}, b"{}", BadEvent),
        ({"ce-id": ""}, b"{}", BadEvent),
        ({}, b"{", jsontext.BadJSON),
    ],
)
def test_binary_refuses(headers: dict[str, str], body: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        cloudevents.binary({**HEADERS, **headers}, body)


TEXT = st.text(max_size=8)
VALUE = (
    st.none()
    | st.booleans()
    | st.integers()
    | TEXT
    | st.lists(st.integers(), max_size=2)
    | st.dictionaries(TEXT, TEXT, max_size=2)
)
NAMES = st.sampled_from([*EXAMPLE, "data_base64", "traceparent"]) | TEXT


@given(st.dictionaries(NAMES, VALUE, max_size=6))
def test_structured_never_raises_anything_else(changes: dict[str, Any]) -> None:
    [found] = cloudevents.batch([{**EXAMPLE, **changes}])
    assert found.context["errors"] if isinstance(found, BadEvent) else found.id and found.type


@pytest.mark.skipif(not SCHEMA.exists(), reason="../shared/wire is not here")
@given(st.dictionaries(st.sampled_from([*EXAMPLE]), VALUE, max_size=3))
def test_structured_takes_nothing_that_the_official_schema_refuses(changes: dict[str, Any]) -> None:
    value = {**EXAMPLE, **changes}
    try:
        cloudevents.structured(value)
    except BadEvent:
        return
    assert jsonschema_rs.Draft7Validator(json.loads(SCHEMA.read_text())).is_valid(value)


def test_base64_of_the_specification() -> None:
    assert cloudevents.structured(without("data", data_base64=base64.b64encode(b'{"a": 1.10}').decode())).data == {
        "a": Decimal("1.10")
    }
