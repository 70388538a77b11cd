"""The programs compared: each a process of its own that speaks `bench.contest`."""
