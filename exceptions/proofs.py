"""Tickets that end by hand only with proof: upper apps register who can prove that what a subject speaks of is settled.

Registered by the beginning of the subject (`discrepancy:`), so that nothing here knows what it is. Must not write.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from exceptions.enums import Resolution
from exceptions.models import Ticket
from meshline.kernel.actors import Actor

WITHOUT_PROOF = (Resolution.ACCEPTED, Resolution.WRITTEN_OFF)  # a person takes it as it is, with a reason


@dataclass(frozen=True)
class Proof:
    """`prove(ticket, note, by)` looks again, outside any transaction: it ends the ticket, or raises a sentence that says what is still wrong.

    `waive(ticket, resolution, note, by)` settles what the ticket speaks of without proof, in the transaction that ends the ticket, before it is locked.
    """

    prove: Callable[[Ticket, str, Actor], None]
    waive: Callable[[Ticket, Resolution, str, Actor], None]


_proofs: dict[str, Proof] = {}


def require(prefix: str, proof: Proof) -> None:
    """Tickets whose subject begins so are resolved by hand through this proof. The last one registered wins."""
    _proofs[prefix] = proof


def needed_for(ticket: Ticket) -> Proof | None:
    return next((proof for prefix, proof in _proofs.items() if ticket.subject.startswith(prefix)), None)
