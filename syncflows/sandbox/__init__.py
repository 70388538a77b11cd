"""A simulated CRM, ERP and support desk that speak HTTP and misbehave on demand.

An independent program: it shares no code, no database and no process with the rest of the product, so that
what the product says about "the other side" is always learnt over the wire. It must never import Django models.
"""
