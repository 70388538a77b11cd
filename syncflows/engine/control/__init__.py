"""What a person may say about whether and when a run goes on: retry now, pause, resume, skip the failed step, give up; one by one and many at once."""
