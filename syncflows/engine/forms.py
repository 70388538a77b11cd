"""Forms of the engine's pages."""

from __future__ import annotations

from django import forms


class ReasonForm(forms.Form):
    """Why a person did it: goes to the audit ledger."""

    reason = forms.CharField(
        label="Reason", max_length=500, help_text="Kept as evidence.", widget=forms.TextInput(attrs={"autocomplete": "off"}),
        error_messages={"required": "Say why: it is kept as evidence."},
    )  # fmt: skip


class CircuitForm(ReasonForm):
    """Beside the other form of the page, under a label of its own."""

    def __init__(self) -> None:
        super().__init__(auto_id="circuit_%s")
        self.fields["reason"].label = "Why"
