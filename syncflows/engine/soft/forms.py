"""What people type on pages of the soft ledger."""

from __future__ import annotations

from django import forms

from syncflows.engine.soft.acts import REASON_LENGTH


class ActForm(forms.Form):
    reason = forms.CharField(
        label="Reason (kept as evidence)", max_length=REASON_LENGTH, strip=True, widget=forms.TextInput(attrs={"autocomplete": "off", "dir": "auto"})
    )  # fmt: skip


class BulkForm(ActForm):
    """A comparison changes nothing, so it takes no reason."""

    def __init__(self, *args: object, needs_reason: bool, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        if not needs_reason:
            del self.fields["reason"]
