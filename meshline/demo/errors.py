"""What can stop a demo, in words for the person at the terminal."""


class DemoError(RuntimeError):
    """The demo cannot start, or had to stop. The message says which part, why, and what to do."""
