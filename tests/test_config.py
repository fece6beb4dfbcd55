"""Settings: every key of the contract, every fault named, nothing secret shown."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.config import (
    Settings,
    find_folder,
    is_loopback,
    load_settings,
    masked,
    parse_duration,
    require_live,
    spoken_duration,
)
from dispatcher.delivery.pace import Limit
from dispatcher.delivery.relay import SmtpRelay, read_relay
from dispatcher.delivery.warm_up import WarmUp
from dispatcher.errors import NotFound, SettingsWrong
from dispatcher.recipes.transport import pacing_of, relays_of
from dispatcher.tables import DkimTable

PASSWORD, SECRET = "hunter2-is-my-password", "s" * 40


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def load(folder: Path, table: str = "", environment: Mapping[str, str] | None = None) -> Settings:
    (folder / "pyproject.toml").write_text(f"[tool.dispatcher]\n{table}\n", encoding="utf-8")
    return load_settings(folder, environment or {})


def test_the_defaults_are_those_of_the_contract(folder: Path) -> None:
    settings = load(folder)
    assert settings.pictures == "hosted"
    assert settings.relay == "maildir:outbox"
    assert settings.database == "sqlite:///dispatcher.db"
    assert settings.require_staging is True
    assert settings.retry_for == timedelta(hours=24)
    assert settings.bounce_address is None
    assert settings.reply_to is None
    assert settings.secrets == ()


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ('name = "Life with Data"', "name", "Life with Data"),
        ('from = "Ann <ann@example.org>"', "sender", "Ann <ann@example.org>"),
        ('from = "王芳 <ann@example.org>"', "sender", "王芳 <ann@example.org>"),
        ('reply_to = "editor@example.org"', "reply_to", "editor@example.org"),
        ('postal_address = "1 Example Street"', "postal_address", "1 Example Street"),
        ('list = "weekly"', "list", "weekly"),
        ('open_lists = ["weekly", "events"]', "open_lists", ("weekly", "events")),
        ('utm = "utm_source=weekly&utm_campaign={number}"', "utm", "utm_source=weekly&utm_campaign={number}"),
        ('language = "zh-Hans"', "language", "zh-Hans"),
        ('timezone = "Europe/Berlin"', "timezone", "Europe/Berlin"),
        ('theme = "plain"', "theme", "plain"),
        ('pictures = "inline"', "pictures", "inline"),
        ('relay = "smtp://user@host:587"', "relay", "smtp://user@host:587"),
        ('database = "sqlite:///other.db"', "database", "sqlite:///other.db"),
        ('base_url = "https://news.example.org"', "base_url", "https://news.example.org"),
        ('bounce_address = "bounces+{token}@example.org"', "bounce_address", "bounces+{token}@example.org"),
        ("require_staging = false", "require_staging", False),
        ('retry_for = "2d"', "retry_for", timedelta(days=2)),
    ],
)
def test_every_key_is_read(folder: Path, line: str, field: str, value: object) -> None:
    assert getattr(load(folder, line), field) == value


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('relai = "maildir:outbox"', "unknown setting 'relai'; did you mean 'relay'"),
        ('sender = "a@example.org"', "unknown setting 'sender'"),
        ('databse = "sqlite:///a.db"', "did you mean 'database'"),
        ("require_stagging = true", "did you mean 'require_staging'"),
        ('folder = "/tmp"', "unknown setting 'folder'"),
        ('relay_password = "x"', "unknown setting 'relay_password'"),
        ('secrets = "x"', "unknown setting 'secrets'"),
        ('require_staging = "no"', "require_staging must be true or false"),
        ("name = 3", "name must be a text in quotes"),
        ('name = "a\\nb"', "name holds a control character"),
        ('from = "a@example.org\\r\\nBcc: b@example.org"', "from holds a control character"),
        ('retry_for = "soon"', "retry_for is wrong: 'soon' is not a duration"),
        ('from = "Ann"', "from 'Ann' is not one mail address"),
        ('from = "Life, Data <a@example.org>"', "is not one mail address"),
        ('reply_to = "ann@localhost"', "reply_to 'ann@localhost' is not one mail address"),
        ('pictures = "attached"', "pictures is 'attached'; it is hosted or inline"),
        ('language = "english language"', "is not a language tag"),
        ('list = "../readers"', "is not a list's name"),
        ('open_lists = ["../readers"]', "must be names of lists"),
        ('utm = "utm_id={{ subscriber.email }}"', "is not made of UTM tags"),
        ('timezone = "Mars/Olympus"', "timezone 'Mars/Olympus' is unknown"),
        ('timezone = "../../etc/passwd"', "is unknown"),
        ('base_url = "news.example.org"', "must start with https:// and name a host"),
        ('base_url = "ftp://example.org"', "must start with https:// and name a host"),
        ('base_url = "https://"', "must start with https:// and name a host"),
        ('base_url = "https://example.org?a=b"', "must start with https:// and name a host"),
        ('bounce_address = "bounces@example.org"', "must hold {token} once"),
        ('bounce_address = "bounces@{token}.example.org"', "must hold {token} once"),
        ('bounce_address = "{token}{token}@example.org"', "must hold {token} once"),
        ('bounce_address = "bounces+of+letter+{token}@example.org"', "is too long"),
    ],
)
def test_every_fault_is_named_with_the_file(folder: Path, line: str, said: str) -> None:
    with pytest.raises(SettingsWrong) as caught:
        load(folder, line)
    assert said in str(caught.value)
    assert str(folder / "pyproject.toml") in str(caught.value)
    assert caught.value.exit_code == 78


def test_all_faults_are_told_at_once(folder: Path) -> None:
    with pytest.raises(SettingsWrong) as caught:
        load(folder, 'relai = "x"\nname = 3\nretry_for = "soon"')
    assert len(str(caught.value).splitlines()) == 3


@pytest.mark.parametrize("broken", ["[tool.dispatcher\n", "[tool.dispatcher]\nname = \xff"])
def test_a_file_that_is_no_toml_is_named(folder: Path, broken: str) -> None:
    (folder / "pyproject.toml").write_bytes(broken.encode("latin-1"))
    with pytest.raises(SettingsWrong, match=r"pyproject\.toml"):
        load_settings(folder, {})


@pytest.mark.parametrize("text", ["tool = 3\n", "[tool]\ndispatcher = 3\n"])
def test_a_table_that_is_none_is_named(folder: Path, text: str) -> None:
    (folder / "pyproject.toml").write_text(text)
    with pytest.raises(SettingsWrong, match=r"pyproject\.toml"):
        load_settings(folder, {})


def test_a_base_url_that_cannot_be_read_is_named(folder: Path) -> None:
    with pytest.raises(SettingsWrong, match="base_url"):
        load(folder, 'base_url = "https://[news.example.org"')


@pytest.mark.parametrize("url", ["https://news example.org", "https://ann:secret@news.example.org"])
def test_a_base_url_that_would_break_every_link_is_refused(folder: Path, url: str) -> None:
    with pytest.raises(SettingsWrong, match="base_url"):
        load(folder, f'base_url = "{url}"')


@pytest.mark.parametrize("sender", ["a@example.org, b@example.org", "a@example.org b"])
def test_a_sender_is_one_address(folder: Path, sender: str) -> None:
    with pytest.raises(SettingsWrong, match="from"):
        load(folder, f'from = "{sender}"')


@pytest.mark.parametrize(
    ("variable", "field", "value"),
    [
        ("DISPATCHER_RELAY", "relay", "smtp://127.0.0.1:2525?tls=none"),
        ("DISPATCHER_DATABASE", "database", "sqlite:///elsewhere.db"),
        ("DISPATCHER_BASE_URL", "base_url", "https://other.example.org"),
        ("DISPATCHER_RELAY_PASSWORD", "relay_password", PASSWORD),
    ],
)
def test_the_environment_wins(folder: Path, variable: str, field: str, value: str) -> None:
    file = 'relay = "maildir:a"\ndatabase = "sqlite:///a.db"\nbase_url = "https://a.example.org"'
    assert getattr(load(folder, file, {variable: value}), field) == value
    assert getattr(load(folder, file, {variable: ""}), field) != value


def test_what_the_environment_gives_is_checked_like_the_file(folder: Path) -> None:
    with pytest.raises(SettingsWrong, match="base_url"):
        load(folder, environment={"DISPATCHER_BASE_URL": "news.example.org"})


def test_secrets_are_separated_by_spaces_and_32_characters_long(folder: Path) -> None:
    assert load(folder, environment={"DISPATCHER_SECRET": f" {SECRET}  {'t' * 32} "}).secrets == (SECRET, "t" * 32)
    with pytest.raises(SettingsWrong, match="has 31 characters") as caught:
        load(folder, environment={"DISPATCHER_SECRET": f"{SECRET} {'t' * 31}"})
    assert "t" * 31 not in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_password_in_the_relay_url_is_refused_and_not_repeated(folder: Path) -> None:
    with pytest.raises(SettingsWrong) as caught:
        read_relay(f"smtp://user:{PASSWORD}@host:587", folder=folder, password=None)
    assert caught.value.exit_code == 78
    assert PASSWORD not in str(caught.value)


SECRETS = {"DISPATCHER_RELAY_PASSWORD": PASSWORD, "DISPATCHER_SECRET": SECRET}


def test_what_config_prints_holds_no_secret(folder: Path) -> None:
    shown = masked(load(folder, environment=SECRETS))
    assert PASSWORD not in str(shown)
    assert SECRET not in str(shown)
    assert shown["relay password"] == "set, hidden"
    assert shown["secret"] == "1 from DISPATCHER_SECRET, hidden"
    assert masked(load(folder))["secret"] == "dispatcher.key in the folder"


def test_what_config_prints_speaks_the_words_of_the_file(folder: Path) -> None:
    shown = masked(load(folder, 'from = "a@example.org"\nrequire_staging = false\nretry_for = "36h"'))
    assert shown["from"] == "a@example.org"
    assert shown["require_staging"] == "false"
    assert shown["retry_for"] == "36h"
    assert shown["reply_to"] == ""


@pytest.mark.parametrize(
    "database", [f"postgresql://u:{PASSWORD}@host/db", f"postgresql+psycopg://u:{PASSWORD}@host:5432/db"]
)
def test_what_config_prints_hides_the_password_of_a_database(folder: Path, database: str) -> None:
    assert PASSWORD not in masked(load(folder, "", {"DISPATCHER_DATABASE": database}))["database"]
    with pytest.raises(SettingsWrong, match=r"pyproject\.toml:2: database holds a password; set PGPASSWORD") as caught:
        load(folder, f'database = "{database}"')
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "secret"),
    [
        (f'relay = "smtp://user:{PASSWORD}@host:587"', PASSWORD),
        (f'database = "postgresql://u:{PASSWORD}:more@host/db"', PASSWORD),
        (f'database = "postgresql://u@host/db?password={PASSWORD}"', PASSWORD),
    ],
)
def test_what_config_prints_hides_a_password_wherever_a_url_has_it(folder: Path, line: str, secret: str) -> None:
    try:
        shown = str(masked(load(folder, line)))
    except SettingsWrong as error:
        shown = str(error)  # refused is as good as hidden
    assert secret not in shown


@pytest.mark.parametrize("secret", [PASSWORD, SECRET])
def test_settings_do_not_show_their_secrets(folder: Path, secret: str) -> None:
    settings = load(folder, environment=SECRETS)
    assert secret not in repr(settings)
    assert secret not in str(settings)


LIVE = Settings(folder=Path("/n"), sender="a@example.org", postal_address="1 Street", base_url="https://example.org")


@pytest.mark.parametrize(
    "base_url", ["https://example.org", "http://127.0.0.1:8029", "http://localhost", "http://[::1]:80"]
)
def test_a_live_run_takes_https_or_loopback(base_url: str) -> None:
    require_live(replace(LIVE, base_url=base_url))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"sender": ""}, "from is not set"),
        ({"postal_address": ""}, "postal_address is not set"),
        ({"base_url": ""}, "base_url must be an https URL"),
        ({"base_url": "http://example.org"}, "base_url must be an https URL"),
        ({"base_url": "http://127.0.0.1.example.org"}, "base_url must be an https URL"),
    ],
)
def test_a_live_run_is_refused_while_a_setting_is_missing(changed: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsWrong, match=said) as caught:
        require_live(replace(LIVE, **changed))  # type: ignore[arg-type]
    assert caught.value.exit_code == 78


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("0s", 0), ("90s", 90), ("15m", 900), ("24h", 86_400), ("2d", 172_800), (" 1h ", 3600)],
)
def test_a_duration_is_read(text: str, seconds: int) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "1", "m", "-1h", "1.5h", "1h30m", "2w", "1 h", "1H", "9999999s", "nan", "0x1s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


@given(st.integers(0, 10**8))
def test_a_duration_is_spoken_as_it_can_be_read(seconds: int) -> None:
    duration = timedelta(seconds=seconds)
    spoken = spoken_duration(duration)
    if len(spoken) <= 7:
        assert parse_duration(spoken) == duration


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("LOCALHOST", True),
        ("localhost.example.org", False),
        ("10.0.0.1", False),
        ("0.0.0.0", False),  # noqa: S104  an address to judge, not to listen on
        ("", False),
    ],
)
def test_loopback_is_known(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_the_folder_is_searched_upwards(tmp_path: Path) -> None:
    load(tmp_path)
    inner = tmp_path / "issues" / "29"
    inner.mkdir(parents=True)
    (tmp_path / "issues" / "pyproject.toml").write_text("[tool.other]\n")
    assert find_folder(inner) == tmp_path.resolve()
    with pytest.raises(NotFound, match="dispatcher init"):
        find_folder(Path("/"))


TABLES = """
[[tool.dispatcher.relays]]
url = "smtp://ann@one.example.org:587"
password_env = "ONE_PASSWORD"
connections = 4
per_second = 2.5
domains = ["example.com"]

[[tool.dispatcher.relays]]
url = "smtp://two.example.org:587"
per_day = 50000
weight = 3
warm_up = { start = 200, growth = 2 }

[tool.dispatcher.pace]
per_second = 100

[tool.dispatcher.pace.each_domain]
connections = 10

[tool.dispatcher.pace.domains."example.com"]
per_second = 5

[tool.dispatcher.dkim]
selector = "s1"
key = "dkim.pem"
"""
WARMING = '[[tool.dispatcher.relays]]\nurl = "smtp://h:25"\nper_day = 5\nwarm_up = '


def test_tables_are_read(folder: Path) -> None:
    (folder / "pyproject.toml").write_text('[tool.dispatcher]\nfrom = "a@example.org"\n' + TABLES)
    settings = load_settings(folder, {"ONE_PASSWORD": PASSWORD})
    assert [relay.per_day for relay in settings.relays] == [None, 50000]
    one, two = relays_of(settings)
    assert isinstance(one, SmtpRelay)
    assert isinstance(two, SmtpRelay)
    assert (one.password, one.connections, one.per_second, one.domains) == (PASSWORD, 4, 2.5, ("example.com",))
    assert (two.per_day, two.weight, two.domains) == (50000, 3, ())
    assert two.warm_up == WarmUp(start=200, growth=2)
    pacing = pacing_of(settings)
    assert pacing.per_second == 100
    assert pacing.for_domain("example.com") == Limit(per_second=5)
    assert pacing.for_domain("example.net") == Limit(connections=10)
    assert settings.dkim == DkimTable(selector="s1", key="dkim.pem")
    assert PASSWORD not in repr(settings) + "".join(masked(settings).values())
    assert load_settings(folder, {"DISPATCHER_RELAY": "maildir:outbox"}).relays == ()


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('[tool.dispatcher.dkim]\nselector = "s1"', ":4: dkim needs key"),
        ('[tool.dispatcher.dkim]\nselector = "s 1"\nkey = "k"', "selector 's 1' cannot be a part of a domain name"),
        ('[tool.dispatcher.dkim]\nselektor = "s1"\nkey = "k"', "unknown setting 'selektor' in dkim; did you mean"),
        ('[tool.dispatcher.dkim]\nselector = "a"\nkey = "k"\ned25519_key = "e"', "need each other"),
        ("[tool.dispatcher.pace]\nper_second = -1", "pace: per_second -1 is not more than 0"),
        ('[tool.dispatcher.pace]\nper_second = "5"', "pace.per_second must be a number"),
        ('[tool.dispatcher.pace.domains."Example Com"]\nconnections = 1', "is not a domain in lower case"),
        ('[tool.dispatcher.pace.domains]\n"example.com" = 3', "pace.domains.example.com must be a table"),
        ("[tool.dispatcher]\nrelays = 3", "relays must be tables"),
        ('[[tool.dispatcher.relays]]\nurl = "smtp://h:25"\nconnections = true', "must be a whole number"),
        ('[[tool.dispatcher.relays]]\nurl = "smtp://h:25"\ndomains = "a"', "relays.domains must be a list of texts"),
        ('[[tool.dispatcher.relays]]\nurl = "smtp://h:25"\nwarm_up = { start = 9 }', "warm_up needs per_day"),
        (f"{WARMING}{{ start = 9 }}", "warm_up.start 9 is more than per_day 5"),
        (f"{WARMING}{{ start = 0 }}", "relays.warm_up: start 0 is not more than 0"),
        (f"{WARMING}{{ start = 2, growth = 1 }}", "relays.warm_up: growth 1 is not between 1 and 10"),
        (f"{WARMING}{{ begin = 2 }}", "unknown setting 'begin' in relays.warm_up"),
        (f"{WARMING}3", "relays.warm_up must be a table"),
        ('[[tool.dispatcher.relays]]\nurl = "smtp://h:25"\nconnections = 0', "connections 0 is not from 1 to 1000"),
    ],
)
def test_a_fault_in_a_table_is_named_with_file_and_line(folder: Path, table: str, said: str) -> None:
    has_head = table.startswith("[tool.dispatcher]\n")
    (folder / "pyproject.toml").write_text(("" if has_head else '[tool.dispatcher]\nname = "x"\n\n') + table + "\n")
    with pytest.raises(SettingsWrong) as caught:
        load_settings(folder, {})
    assert said in str(caught.value)
    assert re.match(rf"{re.escape(str(folder / 'pyproject.toml'))}:\d+: ", str(caught.value))


@pytest.mark.parametrize(
    ("urls", "said"),
    [
        (["smtp://user@h:587"], "no password for user; set DISPATCHER_RELAY_PASSWORD"),
        (["maildir:outbox"], "is no relay over SMTP"),
        (["smtp://h:25?tls=none", "smtp://h:25?tls=none"], "two of them are the same"),
    ],
)
def test_relays_that_cannot_be_are_refused(folder: Path, urls: list[str], said: str) -> None:
    tables = "".join(f'[[tool.dispatcher.relays]]\nurl = "{url}"\n' for url in urls)
    (folder / "pyproject.toml").write_text("[tool.dispatcher]\n" + tables)
    with pytest.raises(SettingsWrong, match=re.escape(said)):
        relays_of(load_settings(folder, {}))
