"""What stops a benchmark: a sentence for people."""


class BenchError(Exception):
    """A part could not do its work, so there is no figure."""
