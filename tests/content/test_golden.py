"""The same files give the same bytes on any machine, and those that were last accepted."""

from pathlib import Path

import pytest

from tests.content.golden import ACCEPT, THEMES, accepted, rendered, run_offline

ELSEWHERE = (
    {"PYTHONHASHSEED": "1", "LC_ALL": "C", "TZ": "Pacific/Kiritimati"},
    {"PYTHONHASHSEED": "2", "LC_ALL": "C.UTF-8", "TZ": "America/St_Johns"},
)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("machine", ELSEWHERE, ids=lambda machine: machine["TZ"])
def test_the_reference_issue_is_rendered_as_it_was_accepted(
    tmp_path: Path, theme: str, machine: dict[str, str]
) -> None:
    """With every socket refused, so that rendering needs no network either."""
    made, golden = rendered(tmp_path, theme, machine), accepted(theme)
    differing = sorted(name for name in made.keys() | golden.keys() if made.get(name) != golden.get(name))
    assert not differing, f"{theme} renders {', '.join(differing)} anew; if it is meant to: {ACCEPT}"


@pytest.mark.parametrize("reach", ["create_connection(('192.0.2.1', 80), 1)", "getaddrinfo('example.org', 80)"])
def test_a_program_that_reaches_for_the_network_would_be_found_out(tmp_path: Path, reach: str) -> None:
    done = run_offline(f"import socket; socket.{reach}", folder=tmp_path, environment={})
    assert done.returncode == 1
    assert "this went to the network: socket.getaddrinfo" in done.stderr
