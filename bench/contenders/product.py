"""Django and the definitions, for the parts of Meshline that are measured. Import it before anything of the product.

`python -m bench.contenders.product FOLDER…` applies folders of `bench/definitions`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import django

DEFINITIONS = Path(__file__).resolve().parent.parent / "definitions"


def set_up() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "meshline.settings")
    django.setup()


def define(*folders: str) -> None:
    """Apply folders of `bench/definitions`. Idempotent. Raises RuntimeError, BadDefinitions."""
    from meshline.kernel import actors
    from syncflows.governance import apply, files

    documents = [document for folder in folders for document in files.load(DEFINITIONS / folder)]
    summary = apply.apply(documents, by=actors.system("bench"))
    if summary.problems:
        raise RuntimeError(f"The benchmark's definitions are refused: {summary.problems}")


if __name__ == "__main__":
    set_up()
    define(*sys.argv[1:])
