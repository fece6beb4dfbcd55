"""What stands in deploy/ and docs/ is true: each command, option, setting and file that is named there exists."""

import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from dispatcher.cli.main import app
from dispatcher.cli.send_issue import app as sending
from dispatcher.config import load_settings
from dispatcher.delivery.warm_up import WarmUp, messages_in_a_day
from dispatcher.recipes.transport import relays_of
from tests.servers.cell import absent

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted(DEPLOY.glob("*.md"))]
CODE = "\n".join(path.read_text("utf-8") for path in sorted((ROOT / "dispatcher").rglob("*.py")))
OTHERS = {"PGPASSWORD", "PGSSLMODE"}  # read by PostgreSQL's own client


def compose() -> Mapping[str, dict[str, dict[str, object]]]:
    found: Mapping[str, dict[str, dict[str, object]]] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    return found


def is_known(words: list[str]) -> bool:
    """Whether the program knows the command and all its options; nothing is run."""
    program = {"dispatcher": app, "send-issue": sending}[Path(words[0]).name]
    return CliRunner().invoke(program, [*words[1:], "--help"]).exit_code == 0


def commands() -> Iterator[list[str]]:
    for unit in UNITS:
        for line in re.findall(r"^ExecStart=(.*)$", unit.read_text("utf-8"), re.MULTILINE):
            yield shlex.split(line)
    for service in compose()["services"].values():
        words = service.get("command")
        if isinstance(words, list) and words[0] == "dispatcher":
            yield words
    dockerfile = (DEPLOY / "Dockerfile").read_text("utf-8")
    for words in re.findall(r"^CMD (\[.*\])$", dockerfile, re.MULTILINE):
        yield yaml.safe_load(words)


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_a_command_that_is_run_there_exists(words: list[str]) -> None:
    assert is_known(words)


def test_a_command_that_does_not_exist_would_be_noticed() -> None:
    assert not is_known(["dispatcher", "serve", "--hosts", "x"])
    assert not is_known(["dispatcher", "server"])


@pytest.mark.parametrize("path", [*filter(Path.is_file, DEPLOY.rglob("*"))], ids=lambda path: path.name)
def test_a_variable_that_is_set_there_is_read(path: Path) -> None:
    for name in re.findall(r"\b(?:DISPATCHER_[A-Z_]+|PG[A-Z]+)\b", path.read_text("utf-8")):
        assert name in OTHERS or f'"{name}"' in CODE, name


def test_what_compose_asks_of_the_environment_stands_in_the_example() -> None:
    asked = set(re.findall(r"\$\{([A-Z_]+)", (DEPLOY / "compose.yaml").read_text("utf-8")))
    assert asked == set(re.findall(r"^#? ?([A-Z_]+)=", (DEPLOY / "env.example").read_text("utf-8"), re.MULTILINE))


def test_compose_has_two_workers_a_database_a_relay_and_the_pages_and_only_these_are_reached_from_outside() -> None:
    services = compose()["services"]
    assert set(services) == {"serve", "worker", "database", "relay"}
    assert services["worker"]["deploy"] == {"replicas": 2}
    assert [name for name, service in services.items() if "ports" in service] == ["serve"]
    assert services["serve"]["ports"] == ["127.0.0.1:8029:8029"]
    for name in ("serve", "worker"):
        assert services[name]["read_only"] is True
        assert services[name]["cap_drop"] == ["ALL"]
    for service in services.values():
        for build in [service["build"]] if isinstance(service.get("build"), dict) else []:
            context = DEPLOY / str(build["context"])  # type: ignore[index]
            assert (context / str(build.get("dockerfile", "Dockerfile"))).exists()  # type: ignore[attr-defined]


def test_the_image_runs_as_nobody_special_and_takes_no_reader_along() -> None:
    dockerfile = (DEPLOY / "Dockerfile").read_text("utf-8")
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", dockerfile, re.MULTILINE)
    assert "http://127.0.0.1:8029/health" in dockerfile
    for sources in re.findall(r"^COPY (?!--from)(.*) \S+$", dockerfile, re.MULTILINE):
        for source in sources.split():
            assert (ROOT / source).exists(), source
            assert f"\n!{source}\n" in (DEPLOY / "Dockerfile.dockerignore").read_text("utf-8"), source
    taken = {
        line[1:] for line in (DEPLOY / "Dockerfile.dockerignore").read_text("utf-8").splitlines() if line[:1] == "!"
    }
    assert not taken & {"subscribers", "issues", "dispatcher.key", "dispatcher.db"}


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_is_understood_and_shut_in(unit: Path, tmp_path: Path) -> None:
    text = unit.read_text("utf-8")
    for line in ("ProtectSystem=strict", "NoNewPrivileges=yes", "PrivateTmp=yes", "CapabilityBoundingSet="):
        assert f"\n{line}\n" in text
    program = shutil.which("systemd-analyze") or absent("systemd-analyze")
    (tmp_path / unit.name).write_text(text.replace("/opt/dispatcher/bin/dispatcher", "/bin/true"), "utf-8")
    done = subprocess.run(
        [program, "verify", "--man=no", str(tmp_path / unit.name)], capture_output=True, text=True, check=False
    )
    assert not [line for line in done.stderr.splitlines() if unit.name in line]
    assert done.returncode == 0, done.stderr


def test_every_metric_is_in_the_table_of_what_to_watch() -> None:
    told = set(re.findall(r"\bdispatcher_\w+", (DEPLOY / "README.md").read_text("utf-8")))
    assert told == set(re.findall(r'"(dispatcher_\w+)"', (ROOT / "dispatcher/web/metrics.py").read_text("utf-8")))


def examples() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for number, block in enumerate(
            re.findall(r"^```toml\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL), 1
        ):
            yield f"{page.name} {number}", block


@pytest.mark.parametrize("block", [block for _, block in examples()], ids=[name for name, _ in examples()])
def test_an_example_of_settings_is_read(block: str, tmp_path: Path) -> None:
    head = '[tool.dispatcher]\nfrom = "Ann <ann@example.org>"\n'
    (tmp_path / "pyproject.toml").write_text(head + block, "utf-8")
    relays = tomllib.loads(block).get("tool", {}).get("dispatcher", {}).get("relays", [])
    passwords = {each["password_env"]: "x" * 20 for each in relays if "password_env" in each}
    assert len(relays_of(load_settings(tmp_path, passwords))) == max(len(relays), 1)


def test_the_days_of_the_warm_up_are_those_that_the_page_tells() -> None:
    page = (ROOT / "docs/relays.md").read_text("utf-8")
    days, told = (
        [int(cell.replace(",", "")) for cell in row.split("|")]
        for row in re.findall(r"^\| (?:`\{.*\}` day|messages, if .*?) \|(.*)\|$", page, re.MULTILINE)
    )
    busiest = [0]
    for _ in range(max(days)):
        busiest.append(messages_in_a_day(WarmUp(start=200, growth=1.5), busiest=busiest[-1], most=50_000))
    assert told == [busiest[day] for day in days]
