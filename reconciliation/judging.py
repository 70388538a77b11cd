"""From two lists to findings that hold: before anything is called missing, the other side is asked for that very key.

Reads our rows and calls the target; writes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from reconciliation import compare, our_side
from reconciliation.compare import Comparison, Pair
from reconciliation.our_side import Subject
from reconciliation.reading import Reader
from reconciliation.their_side import Target
from syncflows.engine.enums import PARKED
from syncflows.engine.models import CanonicalRecord


@dataclass
class Judged:
    """`in_flight` keys not judged, as they are being carried now; `explained` key to the parked run that answers for it."""

    comparison: Comparison
    asked: set[str] = field(default_factory=set)
    in_flight: set[str] = field(default_factory=set)
    explained: dict[str, str] = field(default_factory=dict)


@dataclass
class Judge:
    """`began`: what was delivered since then is not judged."""

    about: Subject
    reader: Reader
    target: Target
    began: datetime

    def settle(self, pairs: dict[str, Pair]) -> Judged:
        """Ask both sides about each key that one of them lacks, take out what is under way, and judge the rest. Raises ConnectorError, Invalid."""
        found = Judged(Comparison([], [], {}), asked=set(pairs))
        self._look_up_theirs([pair for pair in pairs.values() if not pair.theirs])
        young = self._look_up_ours([pair for pair in pairs.values() if pair.ours is None and _has_reference(pair)])
        found.in_flight |= young
        self._explain([pairs[key] for key in pairs if pairs[key].ours is None and key not in young], found)
        self._set_aside_under_way(_doubtful(pairs.values(), self.reader) - found.in_flight, pairs, found)
        left_out = found.in_flight | set(found.explained)
        found.comparison = compare.judge(
            (pair for key, pair in pairs.items() if key not in left_out), rules=self.reader.rules
        )
        return found

    def _look_up_theirs(self, lacking: list[Pair]) -> None:
        documents = self.target.found([pair.key for pair in lacking])
        for pair in lacking:
            for document in documents.get(pair.key, ()):
                item = self.reader.their_item(document)
                if item is None:
                    pair.aside.append(self.reader.any_item(document))
                elif item.key == pair.key:
                    pair.theirs.append(item)

    def _look_up_ours(self, lacking: list[Pair]) -> set[str]:
        """Add our record where there is one; the keys of those delivered since the listing began."""
        records = our_side.by_key(self.about, self.reader, {pair.key for pair in lacking})
        young = {key for key, (_, row) in records.items() if row.delivered_at and row.delivered_at >= self.began}
        for pair in lacking:
            if pair.key in records and pair.key not in young:
                pair.ours = records[pair.key][0]
        return young

    def _explain(self, extra: list[Pair], found: Judged) -> None:
        """What no record of ours explains may be the work of a run that is not at its end."""
        writers = our_side.writers(self.about, {pair.key for pair in extra if pair.theirs and _has_reference(pair)})
        runs = [run for those in writers.values() for run in those]
        parked = our_side.parked_after_writing(self.about, runs)
        carried = our_side.being_carried(self.about, {run.canonical_key for run in runs})
        for key, those in writers.items():
            if any(run.canonical_key in carried for run in those):
                found.in_flight.add(key)
            elif answering := [run.public_id for run in those if run.pk in parked]:
                found.explained[key] = answering[0]

    def _set_aside_under_way(self, keys: Collection[str], pairs: dict[str, Pair], found: Judged) -> None:
        """Records delivered again since the listing began, or being carried; and what a parked run has not come to write."""
        ours = {pair.ours.row: key for key in keys if (pair := pairs[key]).ours is not None and pair.ours.row}
        rows = list(
            CanonicalRecord.objects.filter(pk__in=list(ours))
            .select_related("run")
            .only("key", "delivered_at", "run__status", "run__public_id")
        )
        carried = our_side.being_carried(self.about, {row.key for row in rows})
        for row in rows:
            key = ours[row.pk]
            if row.key in carried or (row.delivered_at and row.delivered_at >= self.began):
                found.in_flight.add(key)
            elif row.run and row.run.status in PARKED and not pairs[key].theirs:
                found.explained[key] = row.run.public_id


def _doubtful(pairs: Iterable[Pair], reader: Reader) -> set[str]:
    return {pair.key for pair in pairs if compare.finding_of(pair, rules=reader.rules)}


def _has_reference(pair: Pair) -> bool:
    return not pair.theirs or any(item.key for item in pair.theirs)
