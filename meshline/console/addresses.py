"""Addresses of pages that other apps serve, with a query; empty where no app serves them, so that a figure is then shown without a link."""

from __future__ import annotations

from urllib.parse import urlencode

from meshline.console.navigation import page_url


def of(url_name: str, **query: object) -> str:
    """The page's address with the filters given."""
    url = page_url(url_name)
    return f"{url}?{urlencode(query)}" if url and query else url
