"""What a System document says about a Tryton. Secrets are named here and read from the environment when they are used."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from syncflows.connectors.errors import Misconfigured


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Secret(Part):
    env: str
    default: str | None = None

    def value(self) -> str:
        """Raises Misconfigured where the variable is not set and there is no default."""
        found = os.environ.get(self.env, self.default)
        if found is None:
            raise Misconfigured(
                f"The environment variable {self.env} is not set; the system's definition reads a secret from it."
            )
        return found


class Options(Part):
    """`options` of the document.

    company: Tryton's number of the company, where the user's preferences name another or none.
    accept_warnings: names of warnings that we may acknowledge, such as `credit_limit_amount`; any other warning refuses the document.
    product_category: accounting category of products that we create. cache_s: how long ids and defaults that Tryton gave are trusted.
    batch_size: orders carried by one call, when several wait.
    """

    database: str = Field(min_length=1)
    language: str = "en"
    company: int | None = None
    accept_warnings: list[str] = []
    product_category: str = ""
    cache_s: float = Field(default=300, ge=0)
    page_size: int = Field(default=200, ge=1, le=1000)
    batch_size: int = Field(default=20, ge=1, le=100)


class Settings(Part):
    name: str
    base_url: str
    username: Secret
    password: Secret
    connect_s: float = 3
    read_s: float = 10
    options: Options


def read(*, name: str, spec: Any) -> Settings:
    """Raises Misconfigured, naming the path in the document."""
    given: Mapping[str, Any] = spec.model_dump() if isinstance(spec, BaseModel) else spec
    auth, timeouts = _basic(name, given), given.get("timeouts") or {}
    try:
        return Settings(
            name=name,
            base_url=_address(name, given.get("base_url")),
            username=auth["username"],
            password=auth["password"],
            connect_s=timeouts.get("connect_s", 3),
            read_s=timeouts.get("read_s", 10),
            options=Options.model_validate(dict(given.get("options") or {})),
        )
    except ValidationError as error:
        raise Misconfigured(f"The definition of system {name!r} cannot work: {_reasons(error)}.") from error


def _basic(name: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
    auth: Mapping[str, Any] = given.get("auth") or {}
    if auth.get("type") != "basic" or not auth.get("username") or not auth.get("password"):
        raise Misconfigured(
            f"System {name!r}: spec.auth must be `type: basic` with `username` and `password`, each as {{env: NAME}}: Tryton logs in with them."
        )
    return auth


def _address(name: str, given: Any) -> str:
    address = Secret.model_validate(given).value() if isinstance(given, Mapping) else given
    if not isinstance(address, str) or not address.startswith(("http://", "https://")):
        raise Misconfigured(
            f"System {name!r}: spec.base_url must be the server's address, such as https://erp.example.com (without the database)."
        )
    return address.rstrip("/")


def _reasons(error: ValidationError) -> str:
    return "; ".join(
        f"spec.options.{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors()
    )
