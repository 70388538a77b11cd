"""The execution layer: ingest, contract, canonical, identity, policy, plan, execute. Must not import exceptions, reconciliation or the console."""
