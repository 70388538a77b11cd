"""The form that asks for a replay. It reads what was typed; `jobs` decides."""

from __future__ import annotations

from typing import Any

from django import forms

from meshline.kernel import jsontext
from meshline.kernel.errors import MeshlineError
from syncflows.engine.replays import jobs
from syncflows.engine.replays.enums import Correction, Versions
from syncflows.engine.replays.jobs import How

NO_CORRECTION = ""


class ReplayForm(forms.Form):
    """`ids` (comma-separated) where the records were chosen one by one; else the filters come with the address."""

    ids = forms.CharField(required=False, widget=forms.HiddenInput)
    versions = forms.ChoiceField(
        label="Definitions", choices=Versions.choices, initial=Versions.CURRENT.value,
        help_text="Contract, mapping, policies and flow. Systems and crosswalks are always those of now.",
    )  # fmt: skip
    from_step = forms.CharField(
        label="From step", required=False, max_length=80, help_text="Empty: from the start. The steps before it must be done, and stay as they are.",
    )  # fmt: skip
    correction = forms.ChoiceField(
        label="Correct the payload", required=False, choices=[(NO_CORRECTION, "No: as it is"), *Correction.choices],
        help_text="The original is kept; the difference becomes part of each record. A whole payload is for one record.",
    )  # fmt: skip
    document = forms.CharField(
        label="Correction", required=False, strip=True, widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false", "class": "code"}),
        help_text='JSON: {"tax_code": "S-US"} sets, {"notes": null} removes. As expressions: {"amount": "add(payload.amount, \'1\')"}.',
    )  # fmt: skip
    looks = forms.BooleanField(
        label="Compare with what the target holds now",
        required=False,
        initial=True,
        help_text="Asks the target for each document; never writes.",
    )
    per_second = forms.IntegerField(
        label="Records a second",
        min_value=1,
        max_value=jobs.PACE_MAX,
        initial=jobs.DEFAULT_PACE,
        help_text="How fast they are started, at most.",
    )
    reason = forms.CharField(
        label="Reason", max_length=jobs.REASON_MAX, widget=forms.Textarea(attrs={"rows": 2}), help_text="Kept with each record as evidence.",
        error_messages={"required": "Say why: it is kept with each record as evidence."},
    )  # fmt: skip

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        kind, text = found.get("correction"), found.get("document") or ""
        if bool(kind) != bool(text.strip()):
            self.add_error(
                "document" if kind else "correction",
                "Give the correction as JSON." if kind else "Say how to read the correction below, or empty it.",
            )
            return found
        try:
            found["read"] = {"kind": kind, "document": jsontext.parse(text)} if kind else None
        except MeshlineError as error:
            self.add_error("document", error.message)
        return found

    @property
    def how(self) -> How:
        given = self.cleaned_data
        return How(given["versions"], given["from_step"], given.get("read"), given["looks"], given["per_second"])

    @property
    def chosen_ids(self) -> list[str]:
        source = self.data if self.is_bound else self.initial
        return [ident for ident in str(source.get("ids") or "").replace(" ", "").split(",") if ident]
