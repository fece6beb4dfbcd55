"""The recipe of `dispatcher database copy`: a newsletter goes from one database to another, between two runs."""

from collections.abc import Mapping
from contextlib import closing

from dispatcher.config import Settings
from dispatcher.delivery.recovery import AT_ONCE, recover
from dispatcher.errors import NotFound, SettingsWrong
from dispatcher.recipes.transport import relays_of
from dispatcher.storage.copying import move_database
from dispatcher.storage.database import Database, find_database, now, open_database
from dispatcher.storage.ledger import Ledger
from dispatcher.storage.lock import run_lock
from dispatcher.storage.mailings import mailing_with
from dispatcher.storage.runs import under_way


def copy(settings: Settings, from_url: str, to_url: str) -> tuple[str, Mapping[str, int]]:
    """The place of the new database, and how many rows of each table are in it.

    Raises NotFound, SettingsWrong, Unfinished when somebody is sending, LedgerFailed.
    """
    source = find_database(from_url, settings.folder)
    if source is None:
        raise NotFound(
            "there is no newsletter in the database to copy from; name the one that `dispatcher config` shows"
        )
    with closing(source), run_lock(source), closing(open_database(to_url, settings.folder)) as target:
        if source.instance == target.instance:
            raise SettingsWrong(
                f"{target.place}: this newsletter is in it already; set database to it, or name an empty one"
            )
        _settle_what_the_dead_left(source, settings)
        return target.place, move_database(source, target, now())


def _settle_what_the_dead_left(source: Database, settings: Settings) -> None:
    relay, dead_after = relays_of(settings)[0], settings.dead_after if source.is_shared else AT_ONCE
    for mailing_id in under_way(source):
        with closing(Ledger(source, mailing_with(source, mailing_id))) as ledger:
            recover(ledger, relay, settings.folder, dead_after=dead_after)
