"""Which status of a run or an event may follow which. `kernel.transitions` is the only writer.

pending > running when a worker claims it; running > retrying when a try failed and another is due later; running > held when it waits on purpose, or from pending, retrying or another
hold when a person pauses it;
running > failed or errored when a person must act; from any of those three back to pending by release or replay, or on to cancelled by decision;
running > compensated when what it wrote was taken back, and from there to pending by replay.
"""

from meshline.kernel.transitions import Machine
from syncflows.engine.archives.enums import MonthStatus as M
from syncflows.engine.enums import EventStatus
from syncflows.engine.enums import RunStatus as R
from syncflows.engine.enums import StagedStatus as S
from syncflows.engine.replays.enums import ReplayStatus as P

RUN = Machine(
    "run",
    {
        R.PENDING: {R.RUNNING, R.SUPERSEDED, R.HELD, R.CANCELLED},
        R.RUNNING: {
            R.PENDING,
            R.RETRYING,
            R.HELD,
            R.FAILED,
            R.ERRORED,
            R.COMPLETED,
            R.IGNORED,
            R.SUPERSEDED,
            R.COMPENSATED,
        },
        R.RETRYING: {R.RUNNING, R.PENDING, R.HELD, R.SUPERSEDED, R.CANCELLED},
        R.HELD: {R.PENDING, R.HELD, R.CANCELLED, R.SUPERSEDED},
        R.FAILED: {R.PENDING, R.CANCELLED, R.SUPERSEDED},
        R.ERRORED: {R.PENDING, R.CANCELLED, R.SUPERSEDED},
        R.COMPLETED: {R.PENDING},
        R.IGNORED: {R.PENDING},
        R.SUPERSEDED: {R.PENDING},
        R.CANCELLED: {R.PENDING},
        R.COMPENSATED: {R.PENDING},
    },
)

# An event's status is decided once, at the door; a quarantined one changes when a person releases its corrected copy, an unrouted one when a person
# routes it to a flow that wants it by now.
EVENT = Machine(
    "event",
    {
        EventStatus.ACCEPTED: set(),
        EventStatus.UNROUTED: {EventStatus.ACCEPTED},
        EventStatus.QUARANTINED: {EventStatus.RELEASED},
        EventStatus.RELEASED: set(),
    },
)

# A replay is previewed before it runs; what has begun when it is paused or cancelled ends by itself, the rest stays untouched.
REPLAY = Machine(
    "replay",
    {
        P.DRAFT: {P.PREVIEWING, P.CANCELLED},
        P.PREVIEWING: {P.PREVIEWED, P.CANCELLED},
        P.PREVIEWED: {P.RUNNING, P.CANCELLED},
        P.RUNNING: {P.PAUSED, P.DONE, P.CANCELLED},
        P.PAUSED: {P.RUNNING, P.CANCELLED},
        P.DONE: set(),
        P.CANCELLED: set(),
    },
)

# staged > promoting when a person or a gate decides; promoting > promoted when the target has it. Back to staged when there was nothing to adopt;
# refused when the target would not take it, and promoted after all if its run is replayed unchanged. Superseded: newer content took its place.
STAGED = Machine(
    "staged_document",
    {
        S.STAGED: {S.PROMOTING, S.REVOKED, S.SUPERSEDED},
        S.PROMOTING: {S.PROMOTED, S.STAGED, S.REFUSED, S.SUPERSEDED, S.REVOKED},
        S.PROMOTED: set(),
        S.REVOKED: set(),
        S.SUPERSEDED: set(),
        S.REFUSED: {S.PROMOTED, S.SUPERSEDED, S.REVOKED},
    },
)

# A month's rows leave in one transaction, after their files were read back; until then it can always be live again.
MONTH = Machine(
    "month",
    {
        M.LIVE: {M.FROZEN},
        M.FROZEN: {M.LEFT, M.LIVE},
        M.LEFT: {M.ARCHIVED, M.LIVE},
        M.ARCHIVED: {M.LIVE, M.DELETED},
        M.DELETED: set(),
    },
)
