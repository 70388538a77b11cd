"""The REST envelope: exact JSON in, problem documents (RFC 9457) out, cursor paging, idempotency keys.

Kept in modules of their own because rest_framework imports the ones its settings name while it loads.
"""
