"""An issue of which too much comes back pauses by itself, and goes on when somebody wants it to."""

from pathlib import Path

from dispatcher.models import Outcome, Reply, State
from dispatcher.recipes.newsletter import open_newsletter
from dispatcher.storage.control import due_mailings, forget_stop, stop_because, why_stopped
from dispatcher.storage.database import now, open_database
from dispatcher.storage.standing import Cause
from tests.newsletter import Newsletter
from tests.relay import Relay
from tests.returns.house import CLEO, House, bounce


def test_dead_addresses_beyond_the_limit_pause_the_issue_once(tmp_path: Path) -> None:
    house = House(tmp_path / "letter", *(f"r{number}@example.com" for number in range(20)))
    copies = house.send()
    dead = [f"r{number}@example.com" for number in range(10)]
    house.receive(*(bounce(copies[each]) for each in dead[:9]))
    with open_newsletter(house.settings) as newsletter:
        assert why_stopped(newsletter.database, 1) is None
    house.receive(bounce(copies[dead[9]]))
    with open_newsletter(house.settings) as newsletter:
        reason = "paused: 40.0% of the readers of issue 29 have dead addresses, 5.0% is too much"
        assert why_stopped(newsletter.database, 1) == reason
        assert forget_stop(newsletter.database, 1) == reason
        assert not stop_because(newsletter.database, 1, "once more")
        assert why_stopped(newsletter.database, 1) is None
    assert set(house.kept_away(*dead).values()) == {Cause.BOUNCED}


def test_no_worker_goes_on_with_a_paused_issue(tmp_path: Path) -> None:
    house = House(tmp_path / "letter")
    later = Outcome(delivery_id=0, state=State.DEFERRED, reply=Reply(code=451, text="later"), due_at=now())
    house.send(outcomes={CLEO: later})
    with open_newsletter(house.settings) as newsletter:
        assert [each.issue for each, _ in due_mailings(newsletter.database, now())] == [29]
        assert stop_because(newsletter.database, 1, "half of it came back")
        assert due_mailings(newsletter.database, now()) == []


def test_a_running_send_stops_and_the_next_run_goes_on(newsletter: Newsletter, relay: Relay) -> None:
    newsletter.send_over(relay)
    newsletter.write_readers([[f"r{number}@example.com", "", "en"] for number in range(400)])
    relay.delay("rcpt", 0.2)
    sending = newsletter.start("send-issue", "29", "--yes")
    relay.wait_for(lambda each: len(each.messages) > 20)
    database = open_database("sqlite:///dispatcher.db", newsletter.folder)
    assert stop_because(database, 1, "half of it came back")
    assert sending.wait(60) == 75
    database.close()
    assert "paused: half of it came back" in newsletter.said("send-issue")
    assert 0 < list(newsletter.states().values()).count("queued") < 400
    relay.forget_rules()
    assert "was paused: half of it came back; going on" in newsletter.send()
    assert set(newsletter.states().values()) == {"sent"}
    assert set(relay.copies.values()) == {1}
