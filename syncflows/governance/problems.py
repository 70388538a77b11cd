"""What is wrong with definitions: where, what, and what to do. Pure; must not read files or the database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import Any

from meshline.kernel.errors import Invalid

PathParts = tuple[str | int, ...]


@dataclass(frozen=True, order=True)
class Problem:
    """`file` relative to the folder read (or where else it came from); `line` from 1, 0 where there is none; `path` as `spec.steps[0].reference`;
    `ident` Kind/name, empty where the document does not say."""

    file: str
    line: int
    path: str
    message: str
    remedy: str
    ident: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        what = f"{self.path}: {self.message}" if self.path else self.message
        return f"{place}: {what.rstrip('.')}. {self.remedy}".rstrip()

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class BadDefinitions(Invalid):
    """Definitions that cannot be taken. `problems` lists all of them, in all files."""

    default_code = "bad_definitions"

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(set(problems))
        count = len(self.problems)
        listed = "\n".join(f"  {problem}" for problem in self.problems)
        head = f"{count} problem{'s' if count != 1 else ''} in the definitions; nothing was changed."
        super().__init__(f"{head}\n{listed}", context={"problems": [problem.as_json() for problem in self.problems]})


def path_text(path: PathParts) -> str:
    """`spec.steps[0].reference`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def suggestion(word: str, known: Iterable[str], *, kind: str) -> str:
    """`Did you mean `x`? There are: …`, for a word that none of the known ones is."""
    choices: Sequence[str] = sorted(known)
    near = get_close_matches(word, choices, n=1, cutoff=0.6)
    shown = ", ".join(choices[:12]) + (", …" if len(choices) > 12 else "")
    listed = f"{kind}: {shown}." if choices else f"{kind}: none."
    return f"Did you mean `{near[0]}`? {listed}" if near else listed
