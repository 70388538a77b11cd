from __future__ import annotations

from django.test import Client

from ownership.models import User


def test_profile_saves_name_and_time_zone(as_charlie: Client, charlie: User) -> None:
    as_charlie.post("/profile/", {"first_name": "Chas", "last_name": "Chan", "time_zone": "Asia/Kolkata"})
    charlie.refresh_from_db()
    assert (charlie.first_name, charlie.time_zone) == ("Chas", "Asia/Kolkata")
    assert charlie.role == "auditor"


def test_profile_refuses_a_zone_that_does_not_exist(as_charlie: Client, charlie: User) -> None:
    answer = as_charlie.post(
        "/profile/", {"first_name": " ", "last_name": "", "time_zone": "Mars/Olympus", "role": "admin"}
    )
    assert answer.status_code == 422
    charlie.refresh_from_db()
    assert (charlie.first_name, charlie.time_zone, charlie.role) == ("Charlie", "UTC", "auditor")


def test_password_is_changed_only_with_the_old_one(as_charlie: Client, charlie: User) -> None:
    new = {"new_password1": "quite another phrase", "new_password2": "quite another phrase"}
    assert as_charlie.post("/profile/password/", {"old_password": "wrong", **new}).status_code == 200
    as_charlie.post("/profile/password/", {"old_password": "a long pass phrase", **new})
    charlie.refresh_from_db()
    assert charlie.check_password("quite another phrase")
