"""The labelled corpus beside the project, where it is there: how much is read rightly, and that nothing breaks."""

import random
import time

import pytest

from dispatcher.returns.parse import parse
from dispatcher.returns.returned import Class
from tests.returns.corpus import FOLDER, Labelled, Score, add, labelled

pytestmark = pytest.mark.skipif(not FOLDER.exists(), reason="the corpus ../shared/corpus/bounces is not here")


@pytest.fixture(scope="module")
def corpus() -> list[Labelled]:
    return list(labelled())


def test_bounces_are_read_as_their_labels_say(corpus: list[Labelled]) -> None:
    score = Score()
    began = time.process_time()
    for mail in corpus:
        add(score, mail, parse(mail.raw))
    assert (time.process_time() - began) / len(corpus) < 0.020
    assert score.exact / score.bounces >= 0.87
    assert score.corroborated_exact / score.corroborated >= 0.92
    assert score.hard_right / score.judged >= 0.93
    assert score.three_way_right / score.judged >= 0.87
    assert score.sender_side_dead / score.sender_side <= 0.01
    assert score.others_called_bounce == 0
    assert score.abuse_found == score.abuse


def test_what_is_no_bounce_has_the_class_of_its_label(corpus: list[Labelled]) -> None:
    others = [mail for mail in corpus if mail.kind != "bounce"]
    assert {mail.name: parse(mail.raw).kind for mail in others} == {mail.name: Class(mail.kind) for mail in others}


def test_line_ends_headers_case_and_more_received_lines_make_no_difference(corpus: list[Labelled]) -> None:
    for mail in corpus:
        plain = mail.raw.replace(b"\r\n", b"\n")
        for end in (b"\r\n", b"\r"):
            assert parse(plain.replace(b"\n", end)) == parse(plain), mail.name
        if not plain.startswith(b"From "):
            more = b"Received: from a.example by b.example; Wed, 25 Nov 2026 09:00:00 +0000\n" + plain
            assert parse(more) == parse(plain), mail.name


def test_damaged_mail_is_read_without_a_fault(corpus: list[Labelled]) -> None:
    chance = random.Random(29)  # noqa: S311  damage, not secrets
    for mail in corpus:
        parse(mail.raw[: chance.randrange(len(mail.raw))])
        damaged = bytearray(mail.raw)
        for _ in range(chance.choice([1, 10, 200])):
            damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        parse(bytes(damaged))
