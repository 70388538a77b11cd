"""The vendored files are what the manifest says; our colours can be read by everybody."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

from meshline.kernel.icons import ICONS
from meshline.kernel.ui_enums import Tone

STATIC = Path(__file__).resolve().parents[3] / "meshline/console/static"
VENDOR = STATIC / "vendor"
TEMPLATES = STATIC.parents[2] / "templates"
MANIFEST = json.loads((VENDOR / "manifest.json").read_text())
TOKENS = (STATIC / "console/tokens.css").read_text()
CONTRAST_LEAST = 4.5


@pytest.mark.parametrize("entry", MANIFEST, ids=lambda entry: entry["file"])
def test_vendored_file_has_the_checksum_of_the_manifest(entry):
    assert hashlib.sha256((VENDOR / entry["file"]).read_bytes()).hexdigest() == entry["sha256"]
    assert all(entry[key] for key in ("name", "version", "licence"))


def test_manifest_lists_every_vendored_file():
    found = {str(path.relative_to(VENDOR)) for path in VENDOR.rglob("*") if path.is_file()}
    assert found - {"manifest.json"} == {entry["file"] for entry in MANIFEST}


def test_sprite_holds_exactly_the_icons_that_the_tag_accepts():
    sprite = (VENDOR / "tabler/icons.svg").read_text()
    assert set(re.findall(r'<symbol id="([^"]+)"', sprite)) == ICONS


def read_token(name: str) -> tuple[str, str]:
    match = re.search(rf"--{name}: light-dark\((#\w{{6}}), (#\w{{6}})\)", TOKENS)
    assert match, f"tokens.css holds no --{name} with a light and a dark colour"
    return match.group(1), match.group(2)


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    bright, dim = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


GROUNDS = ("ml-bg", "ml-surface", "ml-surface-2", "ml-hover", "ml-current")
PAIRS = [
    *((f"tone-{tone}", f"tone-{tone}-bg") for tone in Tone),
    *((f"tone-{tone}", ground) for tone in ("yellow", "red", "green") for ground in GROUNDS),
    *((text, ground) for text in ("ml-text", "ml-secondary", "ml-primary") for ground in GROUNDS),
]


@pytest.mark.parametrize(("text", "ground"), PAIRS)
def test_text_can_be_read_on_its_ground_in_both_themes(text, ground):
    for one, other in zip(read_token(text), read_token(ground), strict=True):
        assert contrast(one, other) >= CONTRAST_LEAST, (
            f"--{text} {one} on --{ground} {other}: {contrast(one, other):.2f}"
        )


def test_templates_hold_no_inline_script_style_or_handler():
    for path in TEMPLATES.rglob("*.html"):
        text = path.read_text()
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|hx-on", text), (
            f"{path.name}: a strict policy refuses this"
        )
