"""What can be turned at `/_control/settings`: tokens, idempotent mode, closed periods, webhook retries, the seed."""

from typing import Annotated, Any

from pydantic import AfterValidator, Field, StrictBool, StrictInt

from syncflows.sandbox.clock import parse_date
from syncflows.sandbox.enums import SystemName
from syncflows.sandbox.fields import Input, Reference, check
from syncflows.sandbox.store import Store

NAME = "settings"
Seconds = Annotated[float, Field(strict=True, gt=0, le=86_400)]


def check_period(text: str) -> str:
    parse_date(f"{text}-01")
    return text


class SystemSettings(Input):
    token: Reference
    idempotent: StrictBool = False


class ErpSettings(SystemSettings):
    closed_periods: list[Annotated[str, AfterValidator(check_period)]] = Field(default=[], max_length=600)


class WebhookSettings(Input):
    """Waits double from `retry_base_s` up to the cap; a refusal that blames us (4xx) may wait longer."""

    timeout_s: Seconds = 10.0
    retry_base_s: Seconds = 0.5
    retry_cap_s: Seconds = 30.0
    refused_cap_s: Seconds = 3600.0


class Settings(Input):
    crm: SystemSettings = SystemSettings(token="crm-demo-token")
    erp: ErpSettings = ErpSettings(token="erp-demo-token")
    desk: SystemSettings = SystemSettings(token="desk-demo-token")
    webhooks: WebhookSettings = WebhookSettings()
    seed: StrictInt = 1

    def of(self, system: str) -> SystemSettings:
        found = {SystemName.CRM: self.crm, SystemName.ERP: self.erp, SystemName.DESK: self.desk}
        return found[SystemName(system)]


def load(store: Store) -> Settings:
    return Settings.model_validate(store.read_setting(NAME) or {})


def change(store: Store, current: Settings, patch: Any) -> Settings:
    """`current` with `patch` laid over it, saved. Raises ApiError 422."""
    merged = check(Settings, overlay(current.model_dump(), patch))
    store.write_setting(NAME, merged.model_dump())
    return merged


def overlay(base: Any, patch: Any) -> Any:
    if not isinstance(base, dict) or not isinstance(patch, dict):
        return patch
    return {**base, **{key: overlay(base.get(key), value) for key, value in patch.items()}}
