"""A Valkey database for each parallel test worker, so that none rings another's bell or reads its cache."""

import re
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit


def for_worker(url: str, worker: str) -> str:
    """Returns the URL with the worker's own database number: 1 without xdist (`""`), 2 for `gw0`, 3 for `gw1`…

    Database 0 stays what the URL named it for, a demo that runs meanwhile for example.
    """
    match = re.fullmatch(r"gw(\d+)", worker)
    number = int(match[1]) + 2 if match else 1
    if url.startswith("unix:"):
        path, _, query = url.partition("?")
        return f"{path}?{urlencode({**dict(parse_qsl(query)), 'db': number})}"
    return urlunsplit(urlsplit(url)._replace(path=f"/{number}"))
