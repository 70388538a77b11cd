"""JSON in, with exact numbers."""

from rest_framework.parsers import JSONParser


class ExactJSONParser(JSONParser):
    """JSON with exact numbers."""
