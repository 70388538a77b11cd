"""The fault kit: what breaks connections and servers on purpose. Used by tests and by `bench.chaos`; touches only what it is handed."""
