"""What an act on runs asks of a person. They read what was typed; the acts decide."""

from __future__ import annotations

from typing import Any

from django import forms

from syncflows.engine.control.acts import REASON_LENGTH
from syncflows.engine.control.enums import NEEDS_REASON, RunAct


class ActForm(forms.Form):
    """`reason` is needed where the act stops something; a fresh budget is asked for retry now only."""

    restart_budget = forms.BooleanField(
        label="With a fresh budget",
        required=False,
        help_text="It may fail again as often and as long as its policy allows.",
    )
    reason = forms.CharField(
        label="Reason", max_length=REASON_LENGTH, help_text="Kept with each record.", widget=forms.Textarea(attrs={"rows": 2, "autofocus": True}),
        error_messages={"required": "Say why: it is kept with each record."},
    )  # fmt: skip

    def __init__(self, data: Any = None, *, act: str, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        if act != RunAct.RETRY_NOW:
            del self.fields["restart_budget"]
        if act not in NEEDS_REASON:
            self.fields["reason"].required = False
            self.fields["reason"].help_text = "May be left empty. Kept with each record."
