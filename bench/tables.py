"""`python -m bench.tables`: writes the figures of `bench/results` into `docs/performance.md`, between its marks. No figure there is typed by hand."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.databases import ROOT

PAGE = ROOT / "docs" / "performance.md"
RESULTS = ROOT / "bench" / "results"
# <!-- figures: KIND PATH --> … <!-- end --> : replaced by the table of that kind, made from that file of results.
MARK = re.compile(r"(<!-- figures: (\S+) (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
ABSENT = "*Not measured yet.*\n"
PROFILE_ROWS = 25
Content = dict[str, Any]


def main() -> int:
    page = PAGE.read_text()
    filled = fill(page, results=RESULTS)
    if "--check" in sys.argv[1:]:
        print(
            "up to date"
            if filled == page
            else "docs/performance.md is not what bench/results say: run python -m bench.tables"
        )
        return int(filled != page)
    PAGE.write_text(filled)
    return 0


def fill(page: str, *, results: Path) -> str:
    """The page with every marked table made anew."""

    def table(found: re.Match[str]) -> str:
        path = results / found[3]
        text = KINDS[found[2]](json.loads(path.read_text())) if path.exists() else ABSENT
        return f"{found[1]}{text}{found[4]}"

    return MARK.sub(table, page)


def goals(content: Content) -> str:
    rows = [(each["name"], f"{each['value']:g}", f"{'at least' if each['sense'] == 'at_least' else 'at most'} {each['goal']:g}", "yes" if each["holds"] else "**no**") for each in content["ratios"]]  # fmt: skip
    return _markdown(("", "measured", "goal", "holds"), rows)


def machine(content: Content) -> str:
    found = content["machine"]
    postgres = ", ".join(f"{name} {value}" for name, value in found["postgres"].items())
    load = " / ".join(f"{each:g}" for each in found["load_before"])
    return f"{found['cpus']} processors, {found['memory_gb']:g} GB, {found['system']}, Python {found['python']}; PostgreSQL: {postgres}; load before the run (1, 5, 15 minutes): {load}.\n"  # fmt: skip


def contest(content: Content) -> str:
    """A row for each contender at each latency."""
    rows = []
    for place, played in content["figures"].items():
        for name, found in played.items():
            took, low_high = found["median_round"], found["spread"]["events_per_s"]
            acks = took["acknowledgement_ms"]
            parts = took["cpu_s_per_1000_by_part"]
            rows.append((
                place.removeprefix("erp_").replace("_", " "), name, f"{took['events_per_s']:,.0f}", f"{low_high[0]:,.0f} to {low_high[1]:,.0f}",
                f"{took['cpu_s_per_1000']:.2f}", *(f"{parts[part]:.2f}" if part in parts else "" for part in ("web", "worker", "postgres")),
                f"{took['kb_written_an_event']:.1f}", _shown(took.get("commits_an_event")), *(f"{acks[at]:.0f}" if acks else "" for at in ("p50", "p95", "p99")),
            ))  # fmt: skip
    heading = ("ERP", "contender", "events/s", "spread", "CPU-s per 1,000", "of it web", "worker", "PostgreSQL", "kB an event", "commits an event", "ack p50 ms", "p95", "p99")  # fmt: skip
    return _markdown(heading, rows)


def set_up(content: Content) -> str:
    return "".join(f"- {place.removeprefix('erp_').replace('_', ' ')}, {name}: {found['set_up']}\n" for place, played in content["figures"].items() for name, found in played.items())  # fmt: skip


def door(content: Content) -> str:
    rows = []
    for name, found in content["figures"]["door"].items():
        acks = found["acknowledgement_ms"]
        rows.append((name, f"{found['acknowledged_per_s']:,.0f}", *(f"{acks[at]:.1f}" for at in ("p50", "p95", "p99")), str(found["answered_429"]), f"{found['cpu_s_per_1000']:.2f}"))  # fmt: skip
    return _markdown(("door", "acknowledged a second", "p50 ms", "p95", "p99", "answered 429", "CPU-s per 1,000"), rows)


def idle(content: Content) -> str:
    rows = [(name, f"{share:.3f}") for name, share in content["figures"]["nobody_asks"]["by_process"].items()]
    whole = content["figures"]
    rows = [("**all, nobody asks**", f"{whole['nobody_asks']['percent_of_a_core']:.3f}"), ("**all, with probes and a scraper**", f"{whole['with_probes']['percent_of_a_core']:.3f}"), *rows]  # fmt: skip
    return _markdown(("process", "percent of a core"), rows)


def memory(content: Content) -> str:
    tenths = content["figures"]["resident_mb_by_tenth"]
    return _markdown((f"tenth of {content['figures']['events']:,} events", "MB resident"), [(str(at + 1), f"{mean:.1f}") for at, mean in enumerate(tenths)])  # fmt: skip


def profile(content: Content) -> str:
    """For web and worker each: libraries, functions by own time, ours with what they call."""
    text = []
    for part, tables in content.items():
        for title, rows in tables.items():
            shown = [(f"`{name}`", f"{share:.1f}") for name, share in rows[:PROFILE_ROWS]]
            text.append(f"**{part}, {title}**\n\n{_markdown(('', '%'), shown)}")
    return "\n".join(text)


KINDS: dict[str, Callable[[Content], str]] = {
    "goals": goals, "machine": machine, "contest": contest, "set_up": set_up, "door": door, "idle": idle, "memory": memory, "profile": profile,
}  # fmt: skip


def _shown(count: float | None) -> str:
    """Older files lack some counts."""
    return "" if count is None else f"{count:.2f}"


def _markdown(heading: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    rule = ["---", *("---:" for _ in heading[1:])]
    return "".join(f"| {' | '.join(row)} |\n" for row in (heading, tuple(rule), *rows))


if __name__ == "__main__":
    sys.exit(main())
