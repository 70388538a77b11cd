"""The HTTP doors without HTTP: what a request brings (`sent_events`, `webhooks`), and its commit in a group with others (`groups`).

`front` serves both doors on an event loop; the views of REST framework answer the same by the same functions.
"""
