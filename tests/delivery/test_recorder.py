"""What the flight recorder shows of a delivery, at whatever instant its run is killed."""

from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

from dispatcher.delivery.recorder import Progress, Slot, read_record, record
from dispatcher.models import Reply

REPLY = Reply(code=250, text="2.0.0 Ok: queued as 0000138F")
LOOKS = 20_000


def answer_for_ever(slot: Slot) -> None:
    while True:
        slot.ending()
        slot.answered(REPLY)


@contextmanager
def answering(slot: Slot) -> Iterator[None]:
    """Another process writes one reply after the other into the slot."""
    writer = get_context("fork").Process(target=answer_for_ever, args=(slot,), daemon=True)
    writer.start()
    try:
        yield
    finally:
        writer.kill()
        writer.join()


def test_a_delivery_that_the_relay_may_have_is_never_out_of_sight_while_its_answer_is_written(tmp_path: Path) -> None:
    path = tmp_path / "recorder"
    with record(path, run=1, slots=1) as slots:
        slots[0].claimed(7)
        slots[0].ending()
        with answering(slots[0]):
            seen = [(read_record(path, run=1) or {}).get(7) for _ in range(LOOKS)]
    assert {each and each.progress for each in seen} <= {Progress.ENDING, Progress.ANSWERED}


def test_an_answer_stands_beside_its_delivery(tmp_path: Path) -> None:
    path = tmp_path / "recorder"
    long = Reply(code=421, text="4.3.2 " + "é" * 200)
    with record(path, run=1, slots=2) as slots:
        for slot, number, reply in zip(slots, (2**40, 8), (REPLY, long), strict=True):
            slot.claimed(number)
            slot.ending()
            slot.answered(reply)
        found = read_record(path, run=1)
    assert found is not None
    assert found[2**40].reply == REPLY
    told = found[8].reply
    assert told is not None
    assert told.code == 421
    assert long.text.startswith(told.text.removesuffix("\N{REPLACEMENT CHARACTER}"))
