"""What one running sandbox holds together: store, settings, faults, connections, and the bell of the webhook sender."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from syncflows.sandbox import settings as setting_rules
from syncflows.sandbox.connections import Connections
from syncflows.sandbox.faults import Faults
from syncflows.sandbox.store import Store

KEEPABLE = {"webhooks": frozenset({"webhooks"}), "faults": frozenset({"faults"}), "settings": frozenset({"settings"})}


class World:
    def __init__(self, store_path: Path | str) -> None:
        self.store = Store(store_path)
        self.settings = setting_rules.load(self.store)
        self.faults = Faults(self.store, seed=self.settings.seed)
        self.connections = Connections()
        self.wake: Callable[[], None] = lambda: None

    def change_settings(self, patch: Any) -> None:
        """Raises ApiError 422."""
        self.settings = setting_rules.change(self.store, self.settings, patch)
        if isinstance(patch, dict) and "seed" in patch:
            self.faults.reseed(self.settings.seed)

    def reset(self, *, keep: set[str]) -> None:
        """Empty the store but for what `keep` names (keys of KEEPABLE)."""
        tables = frozenset().union(*(KEEPABLE[name] for name in keep)) if keep else frozenset()
        self.store.clear(keep=tables)
        self.settings = setting_rules.load(self.store)
        self.faults = Faults(self.store, seed=self.settings.seed)

    def close(self) -> None:
        self.store.close()
