"""What people may change of their own account."""

from __future__ import annotations

import zoneinfo
from functools import cache
from typing import Any

from django import forms

from ownership.models import User


@cache
def time_zones() -> list[tuple[str, str]]:
    """IANA names by continent; the old aliases (`EST5EDT`, `Etc/GMT+5`) are left out."""
    names = sorted(
        name
        for name in zoneinfo.available_timezones()
        if "/" in name and not name.startswith(("Etc/", "posix/", "right/", "SystemV/", "US/"))
    )
    return [("UTC", "UTC"), *((name, name.replace("_", " ")) for name in names)]


class ProfileForm(forms.ModelForm):
    """Name as others see it, and the time zone all times are shown in."""

    time_zone = forms.ChoiceField(
        label="Time zone", choices=time_zones, help_text="All times are shown in it. They are stored in UTC."
    )

    class Meta:
        model = User
        fields = ("first_name", "last_name", "time_zone")
        labels = {"first_name": "First name", "last_name": "Last name"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zone = self.fields["time_zone"]
        kept = self.instance.time_zone
        if kept and kept not in dict(time_zones()) and kept in zoneinfo.available_timezones():
            zone.choices = [*time_zones(), (kept, kept)]  # type: ignore[attr-defined]

    def clean_first_name(self) -> str:
        name = str(self.cleaned_data["first_name"]).strip()
        if not name:
            raise forms.ValidationError("Write the name that others know you by.")
        return name
