"""Steady sales traffic for the demo: `python -m meshline.demo.traffic --folder DIR`, run by the supervisor.

Talks to the simulated systems over HTTP alone and knows nothing of Meshline: what it does comes back as webhooks.
"""

import argparse
import logging
import os
import random
import signal
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx

from meshline.demo import deals
from meshline.demo.crm import Sandbox
from meshline.demo.deals import Body, Price

PACE_S = 1.5  # on average; half of it to one and a half times
FAULT_EVERY_S = 20.0
OPEN_DEALS_KEPT = 12
log = logging.getLogger("meshline.demo.traffic")


class Traffic:
    def __init__(self, sandbox: Sandbox, *, rng: random.Random) -> None:
        self._sandbox = sandbox
        self._rng = rng
        self._accounts: list[Body] = sandbox.accounts()
        self._prices: list[Price] = sandbox.prices()
        self._open: list[Body] = sandbox.open_deals()
        self._next_fault_at = time.monotonic() + FAULT_EVERY_S / 2

    def act(self) -> None:
        """One thing that somebody in sales does; now and then, something that goes wrong on the other side."""
        if time.monotonic() >= self._next_fault_at:
            self._next_fault_at = time.monotonic() + FAULT_EVERY_S
            fault = deals.next_fault(self._rng)
            self._sandbox.add_fault(fault)
            log.info("fault %s of the %s", fault["kind"], fault["system"])
        if len(self._open) < OPEN_DEALS_KEPT or self._rng.random() < 0.3:
            body = deals.open_deal(self._rng, accounts=self._accounts, prices=self._prices)
            self._open.append(self._sandbox.create_deal(body))
            log.info("opened %s", self._open[-1]["name"])
            return
        self._advance(self._open.pop(self._rng.randrange(len(self._open))))

    def _advance(self, deal: Body) -> None:
        today = datetime.now(UTC).date()
        after = self._sandbox.change_deal(deal, deals.advance(self._rng, deal, prices=self._prices, today=today))
        if after["stage"] == "Engaging":
            self._open.append(after)
        log.info("%s is %s at %s", after["name"], after["stage"], after["close_value"])


def run(sandbox: Sandbox, *, stopping: threading.Event, seed: int) -> None:
    """Acts until told to stop. What the sandbox refuses is logged, and the next act follows: sales does not stop either."""
    rng = random.Random(seed)  # noqa: S311  (choices of a simulation)
    log.info("seed %d", seed)
    traffic = Traffic(sandbox, rng=rng)
    while not stopping.wait(PACE_S * rng.uniform(0.5, 1.5)):
        try:
            traffic.act()
        except httpx.HTTPError as error:
            log.warning("refused: %s", error)


def main() -> None:
    parser = argparse.ArgumentParser(prog="traffic", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where to remember our webhook subscription")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    environ = os.environ
    crm_token, erp_token = environ["MESHLINE_SANDBOX_CRM_TOKEN"], environ["MESHLINE_SANDBOX_ERP_TOKEN"]
    with Sandbox(url=environ["SANDBOX_URL"], crm_token=crm_token, erp_token=erp_token) as sandbox:
        hook_url, secret = environ["MESHLINE_DEMO_WEBHOOK_URL"], environ["MESHLINE_SANDBOX_CRM_WEBHOOK_SECRET"]
        sandbox.subscribe(url=hook_url, secret=secret, note=options.folder / "webhook_id")
        sandbox.seed()
        run(sandbox, stopping=stopping, seed=options.seed)


if __name__ == "__main__":
    main()
