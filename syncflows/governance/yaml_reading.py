"""YAML text to plain values and the line each came from, without surprises. Pure.

YAML 1.1 (which PyYAML reads) turns `no` into false and `0123` into 83; YAML 1.2 does not. Where the two disagree, or a text would silently become
something else, the scalar is a problem whose remedy is a pair of quotes. Must not construct objects other than texts, numbers, booleans, lists, mappings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from syncflows.governance.problems import PathParts

NODES_LIMIT = 50_000
DEPTH_LIMIT = 60
STR, MERGE = "tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"
NUMERIC = {"tag:yaml.org,2002:int", "tag:yaml.org,2002:float"}
AS_WRITTEN = {STR, "tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value"}
WHOLE = re.compile(r"^(0|-?[1-9][0-9]{0,17})$")
FRACTION = re.compile(r"^-?(0|[1-9][0-9]{0,11})\.[0-9]{1,12}$")
NUMBER_ELSEWHERE = re.compile(r"^[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?$|^0o[0-7]+$")
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class Surprise(Exception):
    """A scalar that would become something else than it looks like."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class TooMuch(Exception):
    """The document is deeper or larger than any definition."""


@dataclass(frozen=True)
class Flaw:
    line: int
    path: PathParts
    message: str
    remedy: str


@dataclass
class Parsed:
    """One YAML document: its value, the line of every path in it, what is wrong with it."""

    value: Any = None
    lines: dict[PathParts, int] = field(default_factory=dict)
    flaws: list[Flaw] = field(default_factory=list)

    def line_of(self, path: PathParts) -> int:
        """The line of the path, or of its nearest parent."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 0)


def parse(text: str) -> list[Parsed]:
    """Every document of a text. What cannot be read is a flaw of the last one; documents before it are there."""
    found: list[Parsed] = []
    try:
        for node in _nodes(text):
            if node is not None:
                found.append(_read(node))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        found.append(
            _broken(mark.line + 1 if mark else 0, str(error.problem or error.context), _syntax_remedy(str(error)))
        )
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1 if isinstance(error.position, int) else 0
        found.append(
            _broken(
                line,
                f"the character #x{ord(text[error.position]):04x} is not allowed in YAML",
                "Remove it, or write it as an escape in double quotes.",
            )
        )
    except RecursionError:
        found.append(
            _broken(
                1,
                f"the document is nested deeper than {DEPTH_LIMIT} levels",
                "No definition is that deep: check the brackets and the indentation.",
            )
        )
    return found


def _nodes(text: str) -> Iterator[yaml.Node | None]:
    loader = yaml.SafeLoader(text)
    try:
        while loader.check_node():
            yield loader.get_node()
    finally:
        loader.dispose()


def _read(node: yaml.Node) -> Parsed:
    reader = _Reader()
    try:
        reader.parsed.value = reader.value(node, ())
    except TooMuch as error:
        reader.flaw(node, (), str(error), "Write values out instead of nesting aliases (`*name`).")
        reader.parsed.value = None
    return reader.parsed


class _Reader:
    def __init__(self) -> None:
        self.parsed = Parsed()
        self._count = 0

    def flaw(self, node: yaml.Node, path: PathParts, message: str, remedy: str) -> None:
        self.parsed.flaws.append(Flaw(node.start_mark.line + 1, path, message, remedy))

    def value(self, node: yaml.Node, path: PathParts) -> Any:
        self._count += 1
        if self._count > NODES_LIMIT or len(path) > DEPTH_LIMIT:
            raise TooMuch(
                f"the document is larger than {NODES_LIMIT} values or deeper than {DEPTH_LIMIT} levels once its aliases are followed"
            )
        self.parsed.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            self._refuse_tag(node, path, "tag:yaml.org,2002:seq")
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: PathParts) -> dict[str, Any]:
        self._refuse_tag(node, path, "tag:yaml.org,2002:map")
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node, path)
            if key is None:
                continue
            here = (*path, key)
            if key in found:
                self.flaw(
                    key_node,
                    here,
                    f"`{key}` stands twice; the first is at line {self.parsed.lines[here]}",
                    "Which one counts is not defined: remove one.",
                )
                continue
            self.parsed.lines[here] = key_node.start_mark.line + 1
            found[key] = self.value(value_node, here)
        return found

    def _key(self, node: yaml.Node, path: PathParts) -> str | None:
        if not isinstance(node, yaml.ScalarNode) or node.tag == MERGE:
            self.flaw(
                node,
                path,
                "a key must be a text; merge keys (`<<`) and composed keys are not supported",
                "Write the fields out.",
            )
            return None
        key = self._scalar(node, path)
        if not isinstance(key, str):
            self.flaw(node, path, f"the key `{node.value}` is not a text", f'Put it in quotes: "{node.value}".')
            return str(node.value)
        return key

    def _scalar(self, node: yaml.ScalarNode, path: PathParts) -> Any:
        try:
            return scalar(node)
        except Surprise as surprise:
            self.flaw(node, path, surprise.message, surprise.remedy)
            return str(node.value)

    def _refuse_tag(self, node: yaml.Node, path: PathParts, expected: str) -> None:
        if node.tag != expected:
            self.flaw(
                node,
                path,
                f"the tag {node.tag} is not supported",
                "Remove it: texts, numbers, true, false, lists and mappings are all there is.",
            )


def scalar(node: yaml.ScalarNode) -> Any:
    """The value of a scalar. Raises Surprise."""
    text = str(node.value)
    if UNSTORABLE.search(text):
        raise Surprise("the text holds a NUL or half a surrogate pair, which cannot be stored", "Remove it.")
    if node.style is not None and node.tag == STR:
        return text
    if node.style is None:
        return plain(text, tag=node.tag)
    raise Surprise(f"the tag {node.tag} is not supported", "Remove it.")


def plain(text: str, *, tag: str) -> Any:
    """The value of a scalar without quotes, as the tag that PyYAML resolved. Raises Surprise."""
    quoted = f'Put it in quotes if it is a text: "{text}".'
    if tag == "tag:yaml.org,2002:null":
        return None
    if tag == "tag:yaml.org,2002:bool":
        if text.lower() in ("true", "false"):
            return text.lower() == "true"
        raise Surprise(
            f"`{text}` without quotes is {'true' if text.lower() in ('yes', 'on') else 'false'} to some YAML readers and a text to others",
            f"{quoted} Otherwise write true or false.",
        )
    if tag in NUMERIC or (tag == STR and NUMBER_ELSEWHERE.match(text)):
        return _number(text, quoted)
    if tag in AS_WRITTEN:
        return text
    raise Surprise(
        f"the tag {tag} is not supported",
        "Remove it: texts, numbers, true, false, lists and mappings are all there is.",
    )


def _number(text: str, quoted: str) -> int | float:
    if WHOLE.match(text):
        return int(text)
    if FRACTION.match(text):
        return float(text)
    raise Surprise(
        f"`{text}` without quotes is a different number, or a text, to different YAML readers",
        f"{quoted} Otherwise write a plain number such as 12 or 0.5.",
    )


def _broken(line: int, message: str, remedy: str) -> Parsed:
    return Parsed(flaws=[Flaw(line, (), f"is not YAML: {message}", remedy)])


def _syntax_remedy(text: str) -> str:
    if "\\t" in text:
        return "YAML is indented with spaces: replace the tab."
    if "mapping values are not allowed" in text:
        return "A text with `: ` in it needs quotes; otherwise check the indentation."
    if "undefined alias" in text:
        return "A text that begins with `*` needs quotes."
    return "Check the indentation and the quotes around this line; a text with `: `, ` #`, or a leading `{`, `[`, `&`, `*`, `!`, `%`, `@` or backtick needs quotes."
