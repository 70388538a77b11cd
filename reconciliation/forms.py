"""What the pages of reconciliation take."""

from __future__ import annotations

from django import forms

from reconciliation.runs import WINDOW_DAYS_MAX


class StartForm(forms.Form):
    """A comparison to start. Without a window, the flow's own counts."""

    flow = forms.CharField(max_length=80, widget=forms.HiddenInput)
    window_days = forms.IntegerField(
        label="Days back from today",
        required=False,
        min_value=1,
        max_value=WINDOW_DAYS_MAX,
        help_text="By business date. Empty: as the flow says.",
    )
