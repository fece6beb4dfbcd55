"""How a person can stand to a list, what keeps an address from all lists, and who may change which: one table each."""

from collections.abc import Mapping
from enum import StrEnum


class Standing(StrEnum):
    """A membership's state; only `active` is mailed."""

    ACTIVE = "active"  # not a promise that an issue has something for this reader
    PAUSED = "paused"  # the reader asked for silence; not a wish to leave: it ends by itself
    REMOVED = "removed"  # the line is gone from the file; not a wish of the reader's
    UNSUBSCRIBED = "unsubscribed"  # the reader left this list; not the others
    BOUNCED = "bounced"  # mail came back for good; not a promise that the mailbox is dead
    COMPLAINED = "complained"  # the reader called it spam; not a wish that we could ask about
    SUPPRESSED = "suppressed"  # an operator forbade it, or the person is forgotten; whatever the lists say


class Cause(StrEnum):
    """Why an address is kept from all lists."""

    LEFT = "unsubscribed"  # left a list elsewhere, as a file that was brought along says; may come back by himself
    BOUNCED = "bounced"  # may come back by himself: who confirms has read his mail
    COMPLAINED = "complained"  # only an operator may lift it
    OPERATOR = "suppressed"  # only an operator may lift it
    FORGOTTEN = "forgotten"  # all that is left of a person; he may come back by himself, as anybody may come


class Channel(StrEnum):
    """Who changes something, or through what."""

    FILE = "file"  # the list's own file
    IMPORT = "import"  # a file that an operator imported
    ADDED = "added"  # one person, by an operator
    OPERATOR = "operator"
    UNDO = "undo"  # of an import
    ONE_CLICK = "one-click"  # a mail provider's POST
    PAGE = "page"
    MAIL = "mail"  # to the unsubscribe address
    API = "api"
    CONFIRMED = "confirmed"  # the reader followed a link that was mailed to him
    TAKEN_BACK = "taken back"  # the reader pressed Undo after he left
    BOUNCE = "bounce"
    COMPLAINT = "complaint"
    CLOCK = "clock"


STANDING_OF: Mapping[Cause, Standing] = {  # how all memberships of such an address stand
    Cause.LEFT: Standing.UNSUBSCRIBED,
    Cause.BOUNCED: Standing.BOUNCED,
    Cause.COMPLAINED: Standing.COMPLAINED,
    Cause.OPERATOR: Standing.SUPPRESSED,
    Cause.FORGOTTEN: Standing.SUPPRESSED,
}

_FILES = frozenset({Channel.FILE, Channel.IMPORT, Channel.ADDED})
_READER = frozenset({Channel.ONE_CLICK, Channel.PAGE, Channel.MAIL, Channel.API, Channel.OPERATOR, Channel.CONFIRMED})
_OUT = frozenset({Channel.BOUNCE, Channel.COMPLAINT, Channel.OPERATOR, Channel.IMPORT, Channel.FILE})

MOVES: Mapping[tuple[Standing | None, Standing], frozenset[Channel]] = {
    # Onto a list: None is somebody who has never been on it. What is not here does not happen.
    (None, Standing.ACTIVE): _FILES | {Channel.CONFIRMED},
    (Standing.REMOVED, Standing.ACTIVE): _FILES | {Channel.CONFIRMED, Channel.UNDO},
    (Standing.UNSUBSCRIBED, Standing.ACTIVE): frozenset({Channel.CONFIRMED, Channel.TAKEN_BACK}),
    (Standing.BOUNCED, Standing.ACTIVE): frozenset({Channel.CONFIRMED, Channel.OPERATOR}),
    (Standing.PAUSED, Standing.ACTIVE): frozenset({Channel.CONFIRMED, Channel.CLOCK}),
    (Standing.UNSUBSCRIBED, Standing.PAUSED): frozenset({Channel.TAKEN_BACK}),
    (Standing.COMPLAINED, Standing.ACTIVE): frozenset({Channel.OPERATOR}),
    (Standing.SUPPRESSED, Standing.ACTIVE): frozenset({Channel.OPERATOR}),
    # Off it.
    (Standing.ACTIVE, Standing.PAUSED): frozenset({Channel.CONFIRMED}),
    (Standing.ACTIVE, Standing.REMOVED): frozenset({Channel.FILE, Channel.UNDO}),
    (Standing.PAUSED, Standing.REMOVED): frozenset({Channel.FILE}),
    **{
        (standing, Standing.UNSUBSCRIBED): _READER | {Channel.IMPORT, Channel.FILE}
        for standing in (Standing.ACTIVE, Standing.PAUSED, Standing.REMOVED, Standing.BOUNCED)
    },
    **{
        (standing, Standing.BOUNCED): _OUT
        for standing in (Standing.ACTIVE, Standing.PAUSED)
    },
    **{
        (standing, out): _OUT
        for out in (Standing.COMPLAINED, Standing.SUPPRESSED)
        for standing in Standing
        if standing is not out
    },
}  # fmt: skip

MAY_LIFT: Mapping[Cause, frozenset[Channel]] = {
    Cause.LEFT: frozenset({Channel.CONFIRMED, Channel.OPERATOR}),
    Cause.BOUNCED: frozenset({Channel.CONFIRMED, Channel.OPERATOR}),
    Cause.COMPLAINED: frozenset({Channel.OPERATOR}),
    Cause.OPERATOR: frozenset({Channel.OPERATOR}),
    Cause.FORGOTTEN: frozenset({Channel.CONFIRMED, Channel.OPERATOR}),
}


def may_move(start: Standing | None, end: Standing, by: Channel) -> bool:
    return by in MOVES.get((start, end), frozenset())


def origins(end: Standing, by: Channel) -> list[str]:
    """The states out of which this channel may lead into `end`; None, who was never there, is not among them."""
    return [start.value for (start, to), channels in MOVES.items() if start and to is end and by in channels]
