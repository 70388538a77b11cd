"""What a team would write in an afternoon: a webhook view, one Celery task an event, `requests`, one log row. Django and Celery as their manuals say.

It checks the signature and keeps its connections open, and does nothing for safety: no retry, no look-up, no order, no policy, no trail beyond
a log row; an event lives in the broker alone until it is done.
"""
