"""docs/definitions.md says what is true: every function with an example that gives what it says, every kind, every example readable."""

import re
from pathlib import Path

import pytest

from meshline.kernel.expressions import FUNCTIONS, Scope, compiled
from syncflows.governance import yaml_reading
from syncflows.governance.enums import Kind
from syncflows.governance.schemas import SPECS
from syncflows.governance.schemas.base import ENGINE_FUNCTIONS

GUIDE = (Path(__file__).resolve().parents[3] / "docs" / "definitions.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| `(.+?)` \| (.+) \|$", GUIDE.partition("## Expressions")[2], re.MULTILINE)
BLOCKS = re.findall(r"```yaml\n(.*?)```", GUIDE.partition("## System")[2], re.DOTALL)


def test_guide_lists_every_function() -> None:
    named = {name for names, _, _ in ROWS for name in re.findall(r"\w+", names)}
    assert named == set(FUNCTIONS) | ENGINE_FUNCTIONS


@pytest.mark.parametrize(("example", "gives"), [row[1:] for row in ROWS if row[2].startswith("`")])
def test_guide_examples_give_what_they_say(example: str, gives: str) -> None:
    said = re.match(r"`(.+?)`", gives)
    assert said
    empty = Scope({})
    assert compiled(example).evaluate(empty) == compiled(said[1]).evaluate(empty)


def test_guide_shows_a_valid_example_of_every_kind() -> None:
    shown = [parsed.value for block in BLOCKS for parsed in yaml_reading.parse(block)]
    assert {document["kind"] for document in shown} == set(Kind.values)
    for document in shown:
        SPECS[Kind(document["kind"])].model_validate(document["spec"])
