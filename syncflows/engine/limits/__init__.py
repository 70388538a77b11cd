"""How much and when a system is called: rate, concurrency and circuit, shared by all workers.

`board.py` is the engine's only door: `closed_until` and `admit` before a wave, `heard` and `save` after it. Valkey holds the fast counters
(`shared.py`), the System row the circuit (`circuit.py`); without Valkey each process counts for itself (`alone.py`).
"""
