"""What any process does for all that share a database: settles what the dead left, and deals out what nobody has."""

from dispatcher.delivery.recovery import is_dead, read_late_recorders, recover
from dispatcher.recipes.newsletter import Newsletter
from dispatcher.storage.allowances import forget_old_limits
from dispatcher.storage.database import require_known_tables
from dispatcher.storage.ledger import Ledger
from dispatcher.storage.mailings import mailing_with
from dispatcher.storage.queue import release_stalled
from dispatcher.storage.runs import end_silent_workers, forget_old_runs, left_behind, running


def keep_house(newsletter: Newsletter) -> None:
    """Raises LedgerFailed, SettingsWrong once the newsletter has moved."""
    from dispatcher.storage.releases import deal_out_again, has_room  # noqa: PLC0415  its library is an extra

    database, dead_after = newsletter.database, newsletter.settings.dead_after
    require_known_tables(database)
    end_silent_workers(database, dead_after)
    folder = newsletter.settings.folder
    dead = [each.mailing_id for each in running(database) if is_dead(each, database, folder, dead_after)]
    for mailing_id in left_behind(database).union(each for each in dead if each is not None):
        ledger = Ledger(database, mailing_with(database, mailing_id))
        try:
            recover(ledger, newsletter.relay, folder, dead_after=dead_after)
        finally:
            ledger.close()
    read_late_recorders(database, folder)
    forget_old_runs(database)
    forget_old_limits(database)
    if has_room(database):
        release_stalled(database, dead_after)
        deal_out_again(database)
