"""The five people of the demo. Data only: settings read it, so nothing here may import Django."""

from typing import TypedDict

PASSWORD = "meshline-demo"  # noqa: S105  (the demo listens on this machine only, and its records are invented)


class Login(TypedDict):
    username: str
    name: str
    role: str  # a value of ownership.enums.Role
    title: str
    password: str


def _login(username: str, name: str, role: str, title: str) -> Login:
    return {"username": username, "name": name, "role": role, "title": title, "password": PASSWORD}


LOGINS = (
    _login("dana", "Dana Kim", "finance_ops", "Finance ops analyst"),
    _login("sam", "Sam Okafor", "sales_leader", "Sales leader"),
    _login("robin", "Robin Castellanos", "flow_owner", "Flow owner"),
    _login("alex", "Alex Lindqvist", "admin", "Admin"),
    _login("audrey", "Audrey Beaumont", "auditor", "Auditor"),
)
