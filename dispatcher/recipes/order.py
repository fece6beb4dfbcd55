"""What an editor or a worker asks of a send, and what the send is then going to do."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from dispatcher.expressions import Expression
from dispatcher.models import Kind
from dispatcher.recipes.editions import Editions
from dispatcher.storage.mailings import Mailing


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What the editor asked for."""

    issue: str
    list_name: str | None = None  # None: the issue's own, or the newsletter's
    where: Expression | None = None  # of the list only those whom it names
    is_confirmed: bool = False
    patience: timedelta = timedelta(minutes=15)
    skip_bad_rows: bool = False
    where_text: str | None = None  # as it was typed
    only_new: bool = False  # after completion: who joined the list since
    only_refused: bool = False  # after completion
    refreezes: bool = False  # in mid-issue: the rest get the files as they are now
    at: datetime | None = None  # a worker is to send it then
    detaches: bool = False  # workers are to send it now
    force: str | None = None  # why the gate may be passed
    only_left: bool = False  # nobody is added: those who have a row already are tried
    is_workers: bool = False  # a worker goes on with it, or begins what was scheduled
    on_interrupt: Callable[[], None] = lambda: None  # told of SIGINT and SIGTERM
    command: str = ""  # as it was typed: what to run again


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a send is going to do.

    `spoken` maps each edition to the languages of the readers who get it; it is empty when nobody is to be added.
    """

    number: int
    folder: Path
    kind: Kind
    list_name: str
    editions: Editions
    earlier: Mailing | None  # to go on with, or to freeze afresh
    goes_on: bool
    spoken: Mapping[str, Sequence[str | None]]
    people: Mapping[str, int]  # to be added, by edition; not known by edition for a further list
    to_add: int
    left: int  # of an earlier run
    reserved: int  # addresses where nobody has mail
    where: Expression | None = None  # whom of the list, as the issue and the editor say together
    refused: int = 0  # to be tried again
    refreezes: bool = False  # those left get these editions

    @property
    def to_mail(self) -> int:
        return self.to_add + self.left + self.refused
