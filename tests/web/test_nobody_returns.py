"""Whoever left, complained, bounced or was forgotten is not mailed again, whatever files, forms and hands do."""

from datetime import datetime, timedelta
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import text

from dispatcher.audience.lists import bring_up_to_date, import_file
from dispatcher.audience.people import add_person
from dispatcher.errors import InputWrong
from dispatcher.recipes.site import read_mailbox
from dispatcher.storage import preferences
from dispatcher.storage.database import now
from dispatcher.storage.dossiers import Dossier, dossier
from dispatcher.storage.erasure import forget
from dispatcher.storage.intakes import undo
from dispatcher.storage.memberships import leave, take_back
from dispatcher.storage.signups import Welcome, confirm, join_by_own_word
from dispatcher.storage.standing import Cause, Channel
from dispatcher.storage.subscribers import find_list, make_list, members
from dispatcher.storage.suppressions import lift, suppress
from dispatcher.web.joining import ask_for
from tests.long import many, sequences
from tests.storage.books import SQLITE, Copied, keys, open_at
from tests.web.house import site_over

PEOPLE = tuple(f"{name}@example.de" for name in ("ann", "bob", "cleo"))
LISTS = ("readers", "weekly")
OWN_WORD = {Cause.LEFT, Cause.BOUNCED, Cause.FORGOTTEN}  # what its owner may lift

people, list_names = st.sampled_from(PEOPLE), st.sampled_from(LISTS)
listmonk = "uuid,email,name,attributes,status\n"


class House(RuleBasedStateMachine):
    """Three people and two lists; `out` and `barred` say who must not be mailed, and only their own word mends it."""

    copied: Copied

    @initialize()
    def begin(self) -> None:
        self.copy = self.copied()
        self.folder, url = self.copy.__enter__()
        (self.folder / "subscribers").mkdir()
        self.database = open_at(self.folder, url)
        self.keyring = keys(self.database)
        self.site = site_over(self.database)
        self.out: set[tuple[str, str]] = set()
        self.out_all: set[str] = set()
        self.barred: dict[str, Cause] = {}
        self.left: tuple[str, datetime, set[tuple[str, str]], bool] | None = None
        self.version = 0

    def teardown(self) -> None:
        if hasattr(self, "database"):
            self.database.close()
            self.copy.__exit__(None, None, None)

    # Files and operators, who bring in whom they like

    @rule(list_name=list_names, who=st.sets(people))
    def the_file_changes_and_the_issue_is_sent(self, list_name: str, who: set[str]) -> None:
        self._write(self.folder / f"subscribers/{list_name}.csv", who)
        bring_up_to_date(self.database, self.keyring, self.folder, list_name)

    @rule(list_name=list_names, who=st.sets(people, min_size=1))
    def a_file_is_imported(self, list_name: str, who: set[str]) -> None:
        path = self.folder / "other.csv"
        self._write(path, who)
        import_file(self.database, self.keyring, self.folder, path, list_name)

    @rule(list_name=list_names, email=people, status=st.sampled_from(["enabled", "disabled", "blocklisted"]))
    def another_programs_export_is_imported(self, list_name: str, email: str, status: str) -> None:
        path = self.folder / "listmonk.csv"
        path.write_text(f"{listmonk}1,{email.upper()},Somebody,{{}},{status}\n", encoding="utf-8")
        import_file(self.database, self.keyring, self.folder, path, list_name)
        if cause := {"disabled": Cause.LEFT, "blocklisted": Cause.OPERATOR}.get(status):
            self._bar(email, cause)
        if status == "disabled" and (person := self._known(email)) is not None:  # he has left his lists for good
            self.out |= {(email, each.list_name) for each in person.memberships if each.state == "unsubscribed"}

    @rule(list_name=st.none() | list_names)
    def the_last_import_is_undone(self, list_name: str | None) -> None:
        undo(self.database, list_name)

    @rule(list_name=list_names, email=people)
    def the_operator_adds_someone(self, list_name: str, email: str) -> None:
        try:
            add_person(
                self.database, self.keyring, email.swapcase(), list_name, name=None, language=None, attributes={}
            )
        except InputWrong:
            assert (email, list_name) in self.out or email in {*self.out_all, *self.barred}

    # Readers and what happens to them

    @rule(list_name=list_names, email=people, by=st.sampled_from([Channel.ONE_CLICK, Channel.PAGE, Channel.MAIL]))
    def someone_leaves_a_list(self, list_name: str, email: str, by: Channel) -> None:
        self._leave(email, list_name, by)

    @rule(email=people)
    def someone_leaves_everything(self, email: str) -> None:
        self._leave(email, None, Channel.PAGE)

    @rule()
    def whoever_left_last_presses_undo(self) -> None:
        if self.left is None:
            return
        email, at, theirs, was_all = self.left
        if (person := self._known(email)) is not None:
            take_back(self.database, person.id, left_at=at)
        if email not in self.barred:
            self.out -= theirs
        if was_all:
            self.out_all.discard(email)

    @rule(email=people, cause=st.sampled_from([Cause.BOUNCED, Cause.COMPLAINED, Cause.OPERATOR]))
    def mail_comes_back_or_somebody_complains(self, email: str, cause: Cause) -> None:
        suppress(self.database, self.keyring, email, cause, Channel.BOUNCE)
        self._bar(email, cause)

    @rule(email=people)
    def someone_is_forgotten(self, email: str) -> None:
        forget(self.database, self.keyring, email, Channel.CONFIRMED)
        self.out = {each for each in self.out if each[0] != email}
        self.out_all.discard(email)
        self._bar(email, Cause.FORGOTTEN)

    @rule(email=people, lists=st.sets(list_names, min_size=1))
    def somebody_enters_an_address_into_the_form(self, email: str, lists: set[str]) -> None:
        ask_for(self.site, read_mailbox(email), sorted(lists), language="en", channel=Channel.PAGE, at="192.0.2.0/24")

    @rule(email=people, weeks=st.integers(0, 3))
    def someone_pauses(self, email: str, weeks: int) -> None:
        if (person := self._known(email)) is not None:
            preferences.pause(self.database, person.id, until=now() + timedelta(weeks=weeks))

    @rule(weeks=st.integers(0, 4))
    def time_goes_by(self, weeks: int) -> None:
        preferences.end_pauses(self.database, now() + timedelta(weeks=weeks))

    # Their own word

    @rule(email=people)
    def the_owner_follows_the_link(self, email: str) -> None:
        with self.database.reading() as connection:
            query = text(
                "SELECT s.id, l.name FROM signup s JOIN list l ON l.id = s.list_id"
                " WHERE s.address_key = :email AND s.confirmed_at IS NULL"
            )
            asked = connection.execute(query, {"email": email}).all()
        for signup_id, list_name in asked:
            came = confirm(self.database, self.keyring, signup_id)
            assert (came is Welcome.BARRED) == self._is_barred_for_good(email)
            self._come_back(email, list_name)

    @rule(email=people, list_name=list_names)
    def the_owner_ticks_a_list_in_his_settings(self, email: str, list_name: str) -> None:
        if (person := self._known(email)) is not None:
            list_id = find_list(self.database, list_name) or make_list(self.database, list_name)
            join_by_own_word(self.database, self.keyring, person.id, list_id, wording="en-1", network=None)
            self._come_back(email, list_name)

    @rule(email=people)
    def the_operator_lifts_it(self, email: str) -> None:
        lift(self.database, self.keyring, email, Channel.OPERATOR, note="asked us")
        self.barred.pop(email, None)

    @invariant()
    def nobody_who_is_out_is_mailed(self) -> None:
        if not hasattr(self, "database"):
            return
        for list_name in LISTS:
            mailable = {row.email.lower() for row in members(self.database, list_name)}
            assert not mailable & {*self.barred, *self.out_all, *(each for each, name in self.out if name == list_name)}

    def _write(self, path: Path, who: set[str]) -> None:
        self.version += 1
        lines = ["email,version", *(f"{email},{self.version}" for email in sorted(who))]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _known(self, email: str) -> Dossier | None:
        return dossier(self.database, email)

    def _leave(self, email: str, list_name: str | None, by: Channel) -> None:
        person = self._known(email)
        if person is None:
            return
        theirs = {each.list_name: each.state for each in person.memberships}
        if list_name is not None and list_name not in theirs:
            return
        list_id = None if list_name is None else find_list(self.database, list_name)
        left = leave(self.database, person.id, list_id=list_id, by=by)
        lists = set(theirs) if list_name is None else {list_name}
        were_on = {(email, each) for each in lists if theirs[each] in {"active", "paused"}}
        self.left = (email, left.at, were_on, list_name is None and email not in self.out_all)
        self.out |= {(email, each) for each in lists}
        if list_name is None:
            self.out_all.add(email)

    def _bar(self, email: str, cause: Cause) -> None:
        if not self._is_barred_for_good(email):
            self.barred[email] = cause

    def _is_barred_for_good(self, email: str) -> bool:
        return email in self.barred and self.barred[email] not in OWN_WORD

    def _come_back(self, email: str, list_name: str) -> None:
        if not self._is_barred_for_good(email):
            self.barred.pop(email, None)
            self.out.discard((email, list_name))
            self.out_all.discard(email)


def test_only_the_readers_own_word_brings_him_back(tmp_path: Path, database_url: str, copied: Copied) -> None:
    open_at(tmp_path, database_url).close()
    House.copied = staticmethod(copied)
    run_state_machine_as_test(
        House,
        settings=sequences(many(15, long=300) if database_url == SQLITE else many(2, long=50), steps=25),
    )
