"""Where our own code is, for the tests that look at all of it."""

from collections.abc import Iterator
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
PRODUCT = ("meshline", "ownership", "syncflows", "exceptions", "reconciliation")
SUPPORT = ("tests", "tools", "bench")


def python_files(*folders: str) -> Iterator[Path]:
    """Yields our Python files; migrations are written by Django and left out."""
    for folder in folders:
        for path in sorted((CHECKOUT / folder).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path


def name_of(path: Path) -> str:
    return str(path.relative_to(CHECKOUT))
