"""How well returned mail is read, beside flufl.bounce and the standard library: tests.benchmarks.returned_mail.

Both others tell recipients and hard or soft at most; what they cannot tell counts as not told. The corpus is the
labelled one beside the project (tests/returns/corpus.py).
"""

import email
import email.policy
import time
from collections.abc import Callable
from email.message import Message

from flufl.bounce import all_failures

from dispatcher.returns.parse import parse
from dispatcher.returns.returned import Cause, Class, Recipient, Returned
from tests.returns.corpus import FOLDER, Score, add, labelled

Reader = Callable[[bytes], Returned]


def _flufl(raw: bytes) -> Returned:
    soft, hard = all_failures(email.message_from_bytes(raw))
    told = [(each, Cause.FULL) for each in soft] + [(each, Cause.UNKNOWN_USER) for each in hard]
    return _returned([(each.decode("utf-8", "replace"), cause) for each, cause in told])


def _standard_library(raw: bytes) -> Returned:
    """A walk over message/delivery-status parts; 5.x.x counts as hard, which is what such readers do."""
    told = []
    for part in email.message_from_bytes(raw, policy=email.policy.compat32).walk():
        if part.get_content_type() != "message/delivery-status" or not part.is_multipart():
            continue
        for block in part.get_payload():
            assert isinstance(block, Message)
            address = str(block.get("Final-Recipient", "")).partition(";")[2].strip().strip("<>")
            if address and str(block.get("Action", "")).lower() in {"failed", "delayed"}:
                is_hard = str(block.get("Status", "")).startswith("5")
                told.append((address, Cause.UNKNOWN_USER if is_hard else Cause.FULL))
    return _returned(told)


def _returned(told: list[tuple[str, Cause]]) -> Returned:
    recipients = tuple(Recipient(address=address, cause=cause) for address, cause in told)
    return Returned(kind=Class.BOUNCE if recipients else Class.UNKNOWN, recipients=recipients)


def _measure(read: Reader) -> tuple[Score, int, float]:
    score, faults, seconds = Score(), 0, 0.0
    for mail in labelled():
        began = time.perf_counter()
        try:
            returned = read(mail.raw)
        except Exception:  # noqa: BLE001  how many faults there are is one of the figures
            faults += 1
            returned = Returned(kind=Class.UNKNOWN)
        seconds += time.perf_counter() - began
        add(score, mail, returned)
    mails = score.bounces + score.others
    return score, faults, 1000 * seconds / mails


def _share(part: int, whole: int) -> str:
    return f"{part / whole:6.1%}" if whole else "     –"


def main() -> None:
    if not FOLDER.exists():
        raise SystemExit(f"{FOLDER}: the labelled corpus is not here")
    readers: dict[str, Reader] = {"Dispatcher": parse, "flufl.bounce": _flufl, "standard library": _standard_library}
    found = {name: _measure(read) for name, read in readers.items()}
    rows: dict[str, Callable[[Score], str]] = {
        "exact recipients": lambda score: _share(score.exact, score.bounces),
        "exact, corroborated labels": lambda score: _share(score.corroborated_exact, score.corroborated),
        "hard or soft": lambda score: _share(score.hard_right, score.judged),
        "dead, transient or sender": lambda score: _share(score.three_way_right, score.judged),
        "sender-side called dead": lambda score: _share(score.sender_side_dead, score.sender_side),
        "bounces seen in other mail": lambda score: f"{score.others_called_bounce} of {score.others}",
        "complaints of abuse found": lambda score: f"{score.abuse_found} of {score.abuse}",
    }
    print(f"{'':28}" + "".join(f"{name:>18}" for name in readers))
    for row, tell in rows.items():
        print(f"{row:28}" + "".join(f"{tell(score):>18}" for score, _, _ in found.values()))
    print(f"{'faults':28}" + "".join(f"{faults:>18}" for _, faults, _ in found.values()))
    print(f"{'milliseconds a mail':28}" + "".join(f"{milliseconds:>18.1f}" for _, _, milliseconds in found.values()))


if __name__ == "__main__":
    main()
