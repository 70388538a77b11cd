"""The load generator's reader of answers: whole ones, cut ones, several at once."""

from __future__ import annotations

from bench.answers import Answer, Answers

ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}"
BUSY = b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 3\r\ncontent-length: 0\r\n\r\n"


def test_feed_reads_an_answer_cut_anywhere() -> None:
    for cut in range(1, len(ACCEPTED)):
        answers = Answers()
        assert [*answers.feed(ACCEPTED[:cut]), *answers.feed(ACCEPTED[cut:])] == [Answer(202)]


def test_feed_reads_several_at_once() -> None:
    assert list(Answers().feed(ACCEPTED + BUSY + ACCEPTED)) == [Answer(202), Answer(429, 3.0), Answer(202)]
