"""Template tags of the design system (see docs/design-system.md); must not query the database or decide business.

Every tag escapes what it is given: hostile input is shown as the text it is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django import forms, template
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from meshline.kernel import formatting
from meshline.kernel.clock_readings import ClockReading
from meshline.kernel.icons import ICONS
from meshline.kernel.tones import tone_for
from meshline.kernel.ui_enums import ClockState, Tone

register = template.Library()

CLOCK_BAR_WIDTH = 42
CLOCK_BAR_LEAST = 2
NOTHING = format_html('<span class="nothing" title="none">{}</span>', formatting.NOTHING)
# Inputs that cannot show what they are for: their label stays in sight in a filter bar too.
UNNAMED_INPUTS = ("date", "datetime-local", "time", "number")
WIDGET_CLASSES: tuple[tuple[type[forms.Widget], str], ...] = (
    (forms.CheckboxInput, "form-check-input"),
    (forms.CheckboxSelectMultiple, ""),
    (forms.RadioSelect, ""),
    (forms.Select, "form-select"),
)


@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """An icon of the sprite; decoration unless it has a label, which is then read out."""
    if name not in ICONS:
        raise template.TemplateSyntaxError(
            f"no icon {name!r} in the sprite: add it to meshline/kernel/icons.py and run tools/vendor.py"
        )
    use = format_html('<use href="{}#{}"></use>', static("vendor/tabler/icons.svg"), name)
    if label:
        return format_html('<svg class="icon" role="img" aria-label="{}">{}</svg>', label, use)
    return format_html('<svg class="icon" aria-hidden="true">{}</svg>', use)


@register.simple_tag
def badge(value: Any, label: str = "", tone: str = "") -> SafeString:
    """A status or class by word and colour. The colour follows from the word unless `tone` says otherwise."""
    if value is None or value == "":
        return NOTHING
    word = str(value)
    colour = Tone(tone) if tone else tone_for(word)
    return format_html('<span class="badge tone-{}">{}</span>', colour.value, label or word.replace("_", " "))


@register.simple_tag
def money(amount: Any, currency: str = "", about: bool = False) -> SafeString:
    """'EUR 48,200.00'. Takes a Decimal and a currency, or an object with `amount` and `currency`."""
    currency = str(currency or getattr(amount, "currency", ""))
    exact = getattr(amount, "amount", amount)
    if exact is None or exact == "":
        return NOTHING
    text = formatting.amount_text(exact, currency)
    return format_html(
        '<span class="money">{}{}<data value="{}">{}</data></span>',
        "about " if about else "",
        format_html('<span class="money-currency">{}</span> ', currency) if currency else "",
        exact,
        text,
    )


@register.simple_tag
def when(moment: datetime | None, style: str = "relative") -> SafeString:
    """A moment: relative with the exact one on hover, or (`style="exact"` | `"time"`) in the reader's zone."""
    if moment is None:
        return NOTHING
    zone = timezone.get_current_timezone()
    exact = formatting.exact_text(moment, zone=zone)
    texts = {"exact": exact, "time": moment.astimezone(zone).strftime("%H:%M:%S")}
    text = texts.get(style) or formatting.relative_text(moment, now=timezone.now(), zone=zone)
    return format_html('<time datetime="{}" title="{}">{}</time>', moment.isoformat(), exact, text)


@register.simple_tag
def duration(value: timedelta | float | None) -> SafeString:
    """'1 h 12 min' of seconds or a timedelta."""
    if value is None:
        return NOTHING
    seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
    return format_html('<span class="num">{}</span>', formatting.duration_text(seconds))


@register.simple_tag
def clock(reading: ClockReading | None, why: str = "") -> SafeString:
    """An SLA clock: a bar of the time that is left (full in its colour once it has ended) and words. `why` says which clock it is, on hover."""
    if reading is None:
        return NOTHING
    bar = format_html(
        '<svg class="clock-bar" viewBox="0 0 {w} 4" aria-hidden="true"><rect class="clock-track" width="{w}" height="4" rx="2"/>'
        '<rect class="clock-left" width="{left}" height="4" rx="2"/></svg>',
        w=CLOCK_BAR_WIDTH,
        left=_bar_left(reading),
    )
    title = format_html(' title="{}"', why) if why else ""
    return format_html(
        '<span class="clock clock-{}"{}>{}<span>{}</span></span>', reading.state.value, title, bar, reading.words
    )


def _bar_left(reading: ClockReading) -> float:
    """Never so short that it cannot be seen."""
    share = 1.0 if reading.state in (ClockState.BREACHED, ClockState.MET) else 1 - reading.used_share
    return round(max(CLOCK_BAR_LEAST, CLOCK_BAR_WIDTH * share), 1)


@register.simple_tag
def kbd(keys: str) -> SafeString:
    """Key hints: `{% kbd "g q" %}`."""
    return format_html_join(" ", "<kbd>{}</kbd>", ((key,) for key in keys.split()))


@register.simple_tag
def avatar(name: str | None) -> SafeString:
    """Initials with the full name on hover and for screen readers; 'unassigned' for nobody."""
    if not name:
        return format_html('<span class="text-secondary">{}</span>', "unassigned")
    return format_html(
        '<span class="ml-avatar" title="{0}"><span aria-hidden="true">{1}</span><span class="visually-hidden">{0}</span></span>',
        name,
        formatting.initials(name),
    )


@register.simple_tag
def copy_button(value: Any, what: str = "") -> SafeString:
    """A button that copies `value`; `what` names it for screen readers."""
    return format_html(
        '<button type="button" class="btn-quiet" data-copy="{}" aria-label="Copy {}">{}</button>',
        value, what or value, icon("copy"),
    )  # fmt: skip


@register.simple_tag
def pretty_json(value: Any, label: str = "JSON") -> SafeString:
    """A code viewer: wraps long values, scrolls by keyboard, each line in its own writing direction."""
    lines = formatting.json_text(value).splitlines() or [""]
    body = format_html_join("", '<span class="code-line" dir="auto">{}</span>', ((line,) for line in lines))
    return format_html(
        '<pre class="code" tabindex="0" role="region" aria-label="{}"><code>{}</code></pre>', label, body
    )


@register.filter
def diff_value(value: Any) -> str:
    """One side of a diff row as text; null, "" and 'null' stay apart."""
    return formatting.value_text(value)


@register.filter
def tone(value: Any) -> str:
    """The tone of a word, for use in a class name."""
    return tone_for(str(value)).value


@register.filter
def percent(share: float) -> str:
    """A share as '97.4 %'; 100 % only for all of them."""
    return f"{math.floor(share * 1000) / 10:g} %"


@register.inclusion_tag("partials/field.html")
def field(bound: forms.BoundField, label: str = "", compact: bool = False) -> dict[str, Any]:
    """A form field with label, help and errors tied to it by aria-describedby."""
    described = [f"{bound.auto_id}_help"] if bound.help_text and not compact else []
    described += [f"{bound.auto_id}_errors"] if bound.errors else []
    attrs: dict[str, str | bool] = {"class": widget_class(bound)}
    if described:
        attrs["aria-describedby"] = " ".join(described)
    if bound.errors:
        attrs["aria-invalid"] = "true"
    return {
        "field": bound,
        "label": label or bound.label,
        "compact": compact,
        "labelled": compact and getattr(bound.field.widget, "input_type", "") in UNNAMED_INPUTS,
        "is_checkbox": isinstance(bound.field.widget, forms.CheckboxInput),
        "is_group": isinstance(bound.field.widget, forms.RadioSelect | forms.CheckboxSelectMultiple),
        "control": bound.as_widget(attrs=attrs),
    }


def widget_class(bound: forms.BoundField) -> str:
    widget = bound.field.widget
    known = (css for kind, css in WIDGET_CLASSES if isinstance(widget, kind))
    own = str(widget.attrs.get("class", ""))
    return " ".join(filter(None, [next(known, "form-control"), "is-invalid" if bound.errors else "", own]))


@register.simple_block_tag
def card(content: str, title: str = "", aside: str = "", flush: bool = False, id: str = "") -> SafeString:  # noqa: A002 - HTML's own name
    """A card. `aside` stands right of the title; `flush` leaves out the padding (tables)."""
    head = format_html('<h2 class="card-title">{}</h2><div class="card-aside">{}</div>', title, aside)
    return format_html(
        '<section class="card"{}>{}{}</section>',
        format_html(' id="{}"', id) if id else "",
        format_html('<div class="card-header">{}</div>', head) if title else "",
        content if flush else format_html('<div class="card-body">{}</div>', content),
    )


@register.simple_block_tag
def dialog(content: str, id: str, title: str) -> SafeString:  # noqa: A002 - as above
    """A native dialog; open it with `<button data-dialog="id">`. Put buttons in `<footer class="dialog-footer">`."""
    close = format_html('<button type="button" class="btn-quiet" data-close aria-label="Close">{}</button>', icon("x"))
    return format_html(
        '<dialog id="{0}" class="ml-dialog" aria-labelledby="{0}-title"><header class="dialog-header">'
        '<h2 id="{0}-title" class="card-title">{1}</h2>{2}</header><div class="dialog-body">{3}</div></dialog>',
        id, title, close, content,
    )  # fmt: skip


@register.simple_block_tag
def bulkbar(content: str, noun: str, total: int = 0) -> SafeString:
    """The bar under a list with selectable rows; hidden until a row is selected. Buttons are its content."""
    more = format_html(
        '<button type="button" class="btn btn-sm btn-link" data-select-matching hidden>Select all {} matching the filter</button>',
        f"{total:,}",
    )
    return format_html(
        '<div class="bulkbar" data-bulkbar hidden><strong><span data-count>0</span> selected</strong>'
        '<span class="text-secondary num" data-sums></span>{}<input type="hidden" name="all_matching" value="" data-all-matching>'
        '<span class="bulkbar-actions" role="group" aria-label="With the selected {}s">{}</span></div>',
        more if total else "", noun, content,
    )  # fmt: skip


@register.simple_tag(takes_context=True)
def keep_query(context: Mapping[str, Any], **changes: Any) -> str:
    """The page's query string with some parameters changed (None removes one), starting with '?'."""
    query = context["request"].GET.copy()
    for name, value in changes.items():
        query.pop(name, None)
        if value is not None:
            query[name] = str(value)
    return f"?{query.urlencode()}"
