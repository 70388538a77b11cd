"""The engine benchmark for people (a table, sentences) and for programs (a file)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import engine, results
from bench.results import Ratio

if TYPE_CHECKING:
    from bench.engine import Contender, Contest

HEADING = ("", "events/s", "(spread)", "CPU-s/1,000", "of it web", "worker", "beat", "postgres", "valkey", "kB/event", "log kB", "ack p50", "p95", "p99 ms")  # fmt: skip
SHOWN_PARTS = ("web", "worker", "beat", "postgres", "valkey")
ORIENTATION = (
    "For orientation, not measured here: n8n 2 on PostgreSQL, same work on such a machine: 100 events/s, 13.5 CPU-s per 1,000, "
    "128 kB an event (on SQLite), acknowledgement p99 820 ms."
)


def publish(
    described: dict[str, Any], contests: dict[int, Contest], ratios: list[Ratio], *, output: Path | None
) -> None:
    """Print, and write the file where one is named."""
    for latency, played in contests.items():
        print(f"\nERP at {latency} ms (medians)")
        print(results.table([HEADING, *(_row(name, contender) for name, contender in played.items())]))
        for name, contender in played.items():
            print(f"  {name}: {_beside(contender)}; {contender.described}")
    print(f"\n{ORIENTATION}\nLoad before the run: {described['load_before']} on {described['cpus']} processors. On a shared machine only ratios and CPU-seconds say something.\n")  # fmt: skip
    for found in ratios:
        print(results.sentence(found))
    if output is not None:
        figures = {f"erp_{latency}_ms": engine.figures_of(played) for latency, played in contests.items()}
        results.write(output, machine=described, ratios=ratios, figures=figures)


def _row(name: str, contender: Contender) -> tuple[str, ...]:
    low, high = contender.spread(lambda took: took.per_second)
    parts = [contender.median(lambda took, part=part: took.figures()["cpu_s_per_1000_by_part"].get(part, 0.0)) for part in SHOWN_PARTS]  # type: ignore[misc]  # fmt: skip
    acks = [f"{contender.median(lambda took, at=at: took.acks_ms.get(at, 0.0)):.0f}" for at in ("p50", "p95", "p99")]  # type: ignore[misc]  # fmt: skip
    return (
        name, f"{contender.median(lambda took: took.per_second):,.0f}", f"{low:,.0f}-{high:,.0f}", f"{contender.median(lambda took: took.cpu_s_per_1000):.2f}",
        *(f"{part:.2f}" for part in parts), f"{contender.median(lambda took: took.kb_an_event):.1f}",
        f"{contender.median(lambda took: took.written.log_length / took.events / 1000):.1f}", *(acks if contender.rounds[0].acks_ms else ["", "", ""]),
    )  # fmt: skip


def _beside(contender: Contender) -> str:
    """What is not the contender's: so nobody has to wonder where the rest of the machine went."""
    parts = contender.rounds[0].used
    return ", ".join(f"{name} {parts[name].cpu_s / contender.rounds[0].events * 1000:.2f} CPU-s/1,000 apart" for name in ("erp", "source"))  # fmt: skip
