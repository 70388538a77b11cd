"""What is written reads back as the same value, for texts that YAML readers love to misunderstand."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshline.kernel import fingerprint
from syncflows.governance import yaml_reading, yaml_writing

HOSTILE = [
    "no", "Yes", "off", "y", "null", "~", "", " ", "0123", "0o17", "1e3", "1_000", "12:30", ".5", "1.", "+1", "-", "--- a", "...", "2026-11-30", "=", "<<",
    "a: b", "a #b", "#a", "'", '"', "'USD'", "\"a\" 'b'", "\\n", "{a}", "[a]", "&a", "*a", "!a", "%a", "@a", "`a`", "|", ">", "? a", "🎉 fête", "\t", "a\tb",
    "line\nline", "line\n", "\nline", " lead\nline", "trail \nline", "line\n\n", "a\r\nb", "a\x85b", "a\u2028b", "\ufeffa", "\x7f", "\u200b", "x" * 300 + " y" * 80,
    "payload.lines.map(l, {'sku': l.sku})", "NaN", ".inf", "true", "None",
]  # fmt: skip
texts = st.one_of(
    st.sampled_from(HOSTILE), st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\x00"))
)
scalars = st.one_of(
    texts,
    st.booleans(),
    st.none(),
    st.integers(-(10**17), 10**17),
    st.decimals(-1000, 1000, places=6).map(float),
)
documents = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=12,
)


def read_back(value: Any) -> Any:
    (parsed,) = yaml_reading.parse(yaml_writing.write({"spec": value}))
    assert parsed.flaws == []
    return parsed.value["spec"]


@pytest.mark.parametrize("text", HOSTILE)
def test_write_keeps_hostile_texts_as_values_and_keys(text: str) -> None:
    assert read_back({"value": text, text: "key"}) == {"value": text, text: "key"}


@given(documents)
def test_write_reads_back_as_the_same_value(value: Any) -> None:
    found = read_back(value)
    assert fingerprint.of(found) == fingerprint.of(value)


def test_write_orders_keys_as_the_schemas_do_and_writes_lines_as_a_block() -> None:
    text = yaml_writing.write(
        {"spec": {"b": 1, "a": "one\ntwo\n"}, "metadata": {"title": "T", "name": "n"}, "kind": "Flow"}
    )
    assert text == "kind: Flow\nmetadata:\n  name: n\n  title: T\nspec:\n  a: |\n    one\n    two\n  b: 1\n"
