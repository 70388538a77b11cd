"""Why the door takes nothing of a request now. Each says when to send it again (`retry_after_s`), and nothing of it was kept."""

from __future__ import annotations

import math

from meshline.kernel.errors import Invalid, MeshlineError

RETRY_AFTER_MAX_S = 86_400


class Later(MeshlineError):
    """429 (RFC 6585): the same request will be taken later."""

    default_code = "too_many_requests"
    http_status = 429

    def __init__(self, message: str, *, retry_after_s: float, source: str = "", **context: object) -> None:
        whole_s = min(max(math.ceil(retry_after_s), 1), RETRY_AFTER_MAX_S)
        about = {"retry_after_s": whole_s, **({"source": source} if source else {}), **context}
        super().__init__(
            f"{message} Nothing of this request was kept. Send it again in {whole_s:,} s.",
            retryable=True,
            context=about,
        )
        self.source = source
        self.wait_s = retry_after_s
        self.retry_after_s = whole_s


class Full(Later):
    """This process has as much waiting as it may hold."""

    default_code = "door_full"


class QuotaUsedUp(Later):
    """The source sends more than its definition says."""

    default_code = "quota_exceeded"


class BacklogFull(Later):
    """So much work is due that sources of this importance wait."""

    default_code = "backlog_full"


class NeverFits(Invalid):
    """More events in one request than the source may ever send at once."""

    default_code = "batch_over_quota"
