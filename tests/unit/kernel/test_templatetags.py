from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest
from django import forms
from django.template import Context, Template, TemplateSyntaxError
from django.test import RequestFactory
from django.utils import timezone

from meshline.kernel import tones
from meshline.kernel.clock_readings import read_clock
from meshline.kernel.ui_enums import Tone

HOSTILE = '"><script>alert(1)</script>'


def draw(source, **context):
    return Template("{% load meshline %}" + source).render(Context(context))


@pytest.mark.parametrize(
    "source",
    [
        "{% badge x %}", "{% badge 'policy' label=x %}", "{% money 1 x %}", "{% avatar x %}", "{% copy_button x %}", "{% copy_button 1 x %}",
        "{% pretty_json x %}", "{% pretty_json y %}", "{% pretty_json 1 x %}", "{% kbd x %}", "{% icon 'check' x %}", "{% clock c x %}",
        "{{ x|diff_value }}", "{% card title=x aside=x id=x %}{{ x }}{% endcard %}", "{% dialog id=x title=x %}{{ x }}{% enddialog %}",
        "{% bulkbar noun=x %}{{ x }}{% endbulkbar %}", "{% include 'partials/empty.html' with title=x text=x command=x %}",
        "{% include 'partials/stat.html' with label=x value=x note=x %}", "{% include 'partials/notice.html' with title=x text=x %}",
        "{% include 'partials/timeline.html' with items=items %}", "{% include 'partials/diff.html' with rows=items %}",
        "{% include 'partials/key_values.html' with rows=pairs %}", "{% include 'partials/problem.html' with what=x title=x request_id=x %}",
    ],
)  # fmt: skip
def test_every_tag_shows_hostile_input_as_text(source):
    item = {
        "title": HOSTILE,
        "detail": HOSTILE,
        "field": HOSTILE,
        "before": HOSTILE,
        "after": HOSTILE,
        "changed": True,
        "at_label": HOSTILE,
    }
    reading = read_clock(target_s=10, used_s=1, paused_for=HOSTILE)
    html = draw(source, x=HOSTILE, y={HOSTILE: HOSTILE}, c=reading, items=[item], pairs=[(HOSTILE, HOSTILE)])
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_no_tag_or_partial_writes_an_inline_style_or_handler():
    html = draw("{% clock c %}{% dialog id='a' title='b' %}c{% enddialog %}", c=read_clock(target_s=10, used_s=1))
    assert "style=" not in html
    assert not re.search(r"\son\w+=", html)


def test_money_puts_the_currency_first_and_keeps_every_digit():
    html = draw("{% money amount 'EUR' %}", amount=Decimal("48200.005"))
    assert '<span class="money-currency">EUR</span> <data value="48200.005">48,200.005</data>' in html


def test_money_takes_an_object_with_amount_and_currency():
    assert ">JPY<" in draw("{% money m %}", m=SimpleNamespace(amount=Decimal(5), currency="JPY"))


@pytest.mark.parametrize(
    "source", ["{% money None 'EUR' %}", "{% when None %}", "{% badge '' %}", "{% clock None %}", "{% duration None %}"]
)
def test_tags_show_a_dash_for_nothing(source):
    assert "—" in draw(source)


def test_badge_takes_its_colour_from_the_word():
    assert draw("{% badge 'data_quality' %}") == '<span class="badge tone-yellow">data quality</span>'


def test_badge_shows_an_unknown_word_in_neutral():
    assert "tone-neutral" in draw("{% badge 'never_heard_of' %}")


def test_register_tones_refuses_two_colours_for_one_word():
    with pytest.raises(ValueError, match="one word, one colour"):
        tones.register_tones({"policy": Tone.GREEN})
    assert tones.tone_for("policy") == Tone.PURPLE


def test_icon_refuses_a_name_that_is_not_in_the_sprite():
    with pytest.raises(TemplateSyntaxError, match="add it to"):
        draw("{% icon 'no-such-icon' %}")


def test_when_shows_the_exact_moment_of_the_readers_zone_on_hover():
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    with timezone.override("Asia/Tokyo"):
        html = draw("{% when m 'time' %}", m=moment)
    assert html == '<time datetime="2026-01-02T03:04:05+00:00" title="Fri 02 Jan 2026 12:04:05 JST">12:04:05</time>'


def test_when_is_relative_by_default():
    assert ">21 min ago<" in draw("{% when m %}", m=timezone.now() - timedelta(minutes=21, seconds=5))


def test_clock_says_its_state_in_words_and_draws_the_share():
    html = draw("{% clock c %}", c=read_clock(target_s=100, used_s=50))
    assert 'class="clock clock-ok"' in html
    assert '<rect class="clock-left" width="21.0"' in html


class OrderForm(forms.Form):
    number = forms.CharField(label="Number", help_text="As in the ERP.")
    urgent = forms.BooleanField(required=False)


def test_field_ties_help_and_errors_to_the_control():
    form = OrderForm({})
    html = draw("{% field form.number %}", form=form)
    assert 'aria-describedby="id_number_help id_number_errors"' in html
    assert 'id="id_number_help"' in html
    assert 'id="id_number_errors"' in html
    assert 'aria-invalid="true"' in html
    assert "form-control is-invalid" in html


def test_field_puts_the_label_after_a_checkbox():
    html = draw("{% field form.urgent %}", form=OrderForm())
    assert html.index("<input") < html.index("<label")


def test_keep_query_changes_one_parameter_and_keeps_the_rest():
    request = RequestFactory().get("/queue/", {"q": 'a&b"', "cursor": "1"})
    html = draw("{% keep_query cursor=2 %}|{% keep_query cursor=None %}", request=request)
    assert html == "?q=a%26b%22&amp;cursor=2|?q=a%26b%22"
