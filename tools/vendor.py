"""Rebuild the vendored front-end files and their manifest from pinned npm packages.

Usage: python tools/vendor.py   (needs npm; run it only to change a version or add an icon)
Must not touch anything outside meshline/console/static/vendor.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from meshline.kernel.icons import ICONS  # noqa: E402

VENDOR = ROOT / "meshline/console/static/vendor"
PACKAGES = {
    "@tabler/core": ("1.6.1", "MIT"),
    "@tabler/icons": ("3.51.0", "MIT"),
    "htmx.org": ("2.0.11", "0BSD"),
    "@fontsource-variable/inter": ("5.3.0", "OFL-1.1"),
}
FONT_SUBSETS = ("cyrillic", "greek", "latin-ext", "latin")


def unpack_package(name: str, version: str, into: Path) -> Path:
    """Fetch one package with npm and return the folder of its files."""
    done = subprocess.run(
        ["npm", "pack", "--silent", f"{name}@{version}"],
        cwd=into, check=True, capture_output=True, text=True,
    )  # fmt: skip
    folder = into / name.replace("/", "_")
    with tarfile.open(into / done.stdout.split()[-1]) as archive:
        archive.extractall(folder, filter="data")
    return folder / "package"


def strip_source_map(css: str) -> str:
    """Drop the pointer to a map we don't ship: hashed static storage refuses dangling ones."""
    return re.sub(r"\n?/\*# sourceMappingURL=.*?\*/\s*$", "\n", css)


def build_sprite(icons: Path) -> str:
    """One <symbol> an icon; stroke settings live in our CSS."""
    symbols = [build_symbol(name, (icons / f"{name}.svg").read_text()) for name in sorted(ICONS)]
    return '<svg xmlns="http://www.w3.org/2000/svg">\n' + "\n".join(symbols) + "\n</svg>\n"


def build_symbol(name: str, svg: str) -> str:
    body = re.search(r"<svg[^>]*>(.*)</svg>", svg, re.DOTALL)
    if body is None:
        raise SystemExit(f"{name}.svg holds no <svg> element; look at the package's layout")
    shapes = re.sub(r'<path stroke="none"[^>]*/>|\n\s*', "", body.group(1)).replace('" />', '"/>')
    return f'<symbol id="{name}" viewBox="0 0 24 24">{shapes}</symbol>'


def build_font_css(css: str) -> str:
    """Keep the @font-face blocks of our subsets, pointing at the files beside the sheet."""
    blocks = re.findall(r"@font-face \{.*?\}", css, re.DOTALL)
    kept = [b for b in blocks if any(f"inter-{s}-wght-normal.woff2" in b for s in FONT_SUBSETS)]
    return "\n".join(kept).replace("./files/", "./").replace("woff2-variations", "woff2") + "\n"


def collect_files(folders: dict[str, Path]) -> dict[str, tuple[str, bytes]]:
    """Vendored path to (package, content)."""
    inter, core = folders["@fontsource-variable/inter"], folders["@tabler/core"]
    htmx, icons = folders["htmx.org"], folders["@tabler/icons"]
    css = strip_source_map((core / "dist/css/tabler.min.css").read_text())
    files = {
        "tabler/tabler.min.css": ("@tabler/core", css.encode()),
        "htmx/htmx.min.js": ("htmx.org", (htmx / "dist/htmx.min.js").read_bytes()),
        "htmx/LICENSE": ("htmx.org", (htmx / "LICENSE").read_bytes()),
        "tabler/icons.svg": ("@tabler/icons", build_sprite(icons / "icons/outline").encode()),
        "tabler/LICENSE": ("@tabler/icons", (icons / "LICENSE").read_bytes()),
        "inter/LICENSE": ("@fontsource-variable/inter", (inter / "LICENSE").read_bytes()),
        "inter/inter.css": ("@fontsource-variable/inter",
                            build_font_css((inter / "index.css").read_text()).encode()),
    }  # fmt: skip
    for subset in FONT_SUBSETS:
        name = f"inter-{subset}-wght-normal.woff2"
        files[f"inter/{name}"] = ("@fontsource-variable/inter", (inter / "files" / name).read_bytes())
    return files


def write_vendor(files: dict[str, tuple[str, bytes]]) -> None:
    manifest = []
    for path, (package, content) in sorted(files.items()):
        target = VENDOR / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        version, licence = PACKAGES[package]
        manifest.append({"name": package, "version": version, "licence": licence,
                         "sha256": hashlib.sha256(content).hexdigest(), "file": path})  # fmt: skip
    (VENDOR / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        into = Path(folder)
        folders = {n: unpack_package(n, v, into) for n, (v, _) in PACKAGES.items()}
        write_vendor(collect_files(folders))
    print(f"wrote {VENDOR.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
