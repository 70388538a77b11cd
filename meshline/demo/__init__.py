"""`make demo`: the whole product in the foreground, each part a child process. Not for production."""
