"""The style guide: every component in every state; must not read the database. Served with DEBUG or MESHLINE_DEMO only."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from meshline.kernel.clock_readings import read_clock
from meshline.kernel.ui_enums import Tone

HOUR_S = 3600
HOSTILE = '<script>alert("x")</script> & "quotes" Ω 漢字'
RIGHT_TO_LEFT = "شركة النور للتجارة"
ROWS = (
    ("policy", "Discount 18.0 % is above the 10 % cap for tier Silver", "tkt_8F2K · Quote to order · SO-20931", "Hartmann Logistik", "EUR", "48200.00", 14000),
    ("partial", "Order 77120 exists in ERP, invoice missing: period 2026-10 is closed", "tkt_8F2J · Order to invoice · SO-20877", "Acme Corporation", "USD", "112940.00", 11000),
    ("identity", 'Two ERP customers match "Isdom": C-1044 (0.93) and C-2210 (0.91)', "tkt_8F1Z · Customer master · opp 7Q4X", RIGHT_TO_LEFT, "JPY", "451400", 3000),
    ("data_quality", f"Field tier holds {HOSTILE}", "tkt_8F1T · Quote to order · 27 records", "", "BHD", "1054.125", 900),
    ("silence", "No event from Shop since 09:12 (expected 40 to 75 an hour)", "tkt_8EYX · Shop orders", "", "USD", "38000", 15200),
)  # fmt: skip


class FilterForm(forms.Form):
    q = forms.CharField(
        label="Text", required=False, widget=forms.TextInput(attrs={"type": "search", "placeholder": "Text"})
    )
    klass = forms.ChoiceField(
        label="Class", required=False, choices=[("", "Any class"), ("policy", "policy"), ("drift", "drift")]
    )


class SampleForm(forms.Form):
    name = forms.CharField(label="Name", help_text="As it stands in the ERP.")
    reason = forms.CharField(label="Reason", widget=forms.Textarea(attrs={"rows": 3}), help_text="Kept as evidence.")
    queue = forms.ChoiceField(
        label="Queue", choices=[("finance", "Finance ops"), ("identity", "Identity")], required=False
    )
    notify = forms.BooleanField(label="Tell the requester", required=False)


def list_rows() -> list[dict[str, Any]]:
    return [
        {
            "id": f"tkt_{number}",
            "klass": klass,
            "title": title,
            "note": note,
            "customer": customer,
            "currency": currency,
            "amount": Decimal(amount),
            "clock": read_clock(target_s=4 * HOUR_S, used_s=used_s),
        }
        for number, (klass, title, note, customer, currency, amount, used_s) in enumerate(ROWS)
    ]


def list_clocks() -> list[Any]:
    target_s = 4 * HOUR_S
    return [
        read_clock(target_s=target_s, used_s=HOUR_S),
        read_clock(target_s=target_s, used_s=target_s - 1200),
        read_clock(target_s=target_s, used_s=target_s + 1080),
        read_clock(target_s=target_s, used_s=HOUR_S, paused_for="waiting on customer"),
        read_clock(target_s=target_s, used_s=HOUR_S, met=True),
    ]


def list_timeline() -> list[dict[str, Any]]:
    now = timezone.now()
    return [
        {"at": now - timedelta(seconds=90), "title": "Quote approved in CRM", "detail": "event evt_41QX · contract crm.quote 2.3.0", "url": "#", "link_label": "explain"},
        {"at": now - timedelta(seconds=89), "title": "Customer resolved", "detail": f"{RIGHT_TO_LEFT} = C-1187 by VAT id"},
        {"at": now - timedelta(seconds=88), "title": "Policy discount-cap 4 asked for approval", "detail": "18.00 % > 10.00 % (tier Silver)", "state": "waiting", "url": "#", "link_label": "why?"},
        {"at": now - timedelta(seconds=80), "title": "ERP refused the order", "detail": HOSTILE, "state": "failed", "data": {"status": 409, "said": HOSTILE}},
        {"at_label": "now", "title": "Retrying", "detail": "third of five tries", "state": "running"},
        {"at_label": "next", "title": "Stage invoice, tell CRM", "state": "next"},
    ]  # fmt: skip


def list_diff() -> list[dict[str, Any]]:
    return [
        {
            "field": "discount_pct",
            "before": Decimal("18.00"),
            "after": Decimal("10.00"),
            "changed": True,
            "note": "cap",
        },
        {"field": "customer.tier", "before": None, "after": "Silver", "changed": True},
        {"field": "note", "before": "", "after": HOSTILE, "changed": True},
        {"field": "customer.name", "before": RIGHT_TO_LEFT, "after": RIGHT_TO_LEFT, "changed": False},
        {"field": "currency", "before": "EUR", "after": "EUR", "changed": False},
    ]


def build_context(request: HttpRequest) -> dict[str, Any]:
    now = timezone.now()
    wrong = SampleForm({"queue": "nowhere"})
    wrong.is_valid()
    return {
        "tones": list(Tone), "classes": [row[0] for row in ROWS] + ["transient", "outage", "duplicate", "drift", "accounting", "internal"],
        "rows": list_rows(), "clocks": list_clocks(), "timeline": list_timeline(), "diff": list_diff(),
        "moments": [now - timedelta(seconds=3), now - timedelta(minutes=21), now + timedelta(hours=3), now - timedelta(days=90), None],
        "filter_form": FilterForm(request.GET), "form": SampleForm(), "wrong_form": wrong,
        "hostile": HOSTILE, "rtl": RIGHT_TO_LEFT, "long": "tok_" + "0123456789abcdef" * 12,
        "big": Decimal("-1234567.8900"), "yen": Decimal("451400"), "price": Decimal("0.0375"),
        "payload": {"order": "SO-20931", "total": Decimal("48200.00"), "customer": RIGHT_TO_LEFT, "note": HOSTILE, "token": "0123456789abcdef" * 12},
        "facts": [("Order", "SO-20931"), ("Customer", RIGHT_TO_LEFT), ("Note", HOSTILE), ("Approved by", None)],
        "tabs": [{"label": "Overview", "url": "#", "active": True}, {"label": "Versions", "url": "#versions", "count": 7}, {"label": "Health", "url": "#health"}],
        "views": [{"label": "Mine", "url": "#", "active": True, "count": 9}, {"label": "Unassigned", "url": "#u", "count": 6}, {"label": "All open", "url": "#all", "count": 38}],
        "total": 4238,
    }  # fmt: skip


def styleguide(request: HttpRequest) -> HttpResponse:
    """GET /styleguide/. 404 on an installation that is neither for development nor a demo."""
    if not (settings.DEBUG or getattr(settings, "MESHLINE_DEMO", False)):
        raise Http404("The style guide is served with DEBUG or MESHLINE_DEMO only.")
    return render(request, "console/styleguide.html", build_context(request))
