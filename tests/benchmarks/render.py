"""What rendering costs: `python -m tests.benchmarks.render` prints CPU-seconds of issue 29, from a cold start and warm.

Cold is a process of its own, its imports included. Warm is a further rendering of the same edition in one process, as
the preview has it after each save. The median of several runs is what counts; the machine's speed moves both alike.
"""

import resource
import subprocess
import sys
import time
from statistics import median

_RENDER = """
from pathlib import Path
from dispatcher.content.compose import compose
from dispatcher.content.source.issue import load_issue
from dispatcher.content.drawing.theme import find_theme
from dispatcher.models import Letterhead

root = Path.cwd()
letterhead = Letterhead(newsletter="N", sender="n@example.org", reply_to=None, postal_address="1 Example Street",
                        base_url="https://example.org")

def render():
    folder = root / "issues/29"
    draft = load_issue(folder, root=root, default_language="en").drafts["en"]
    return compose(draft, number=29, folder=folder, theme=find_theme("default", root), letterhead=letterhead)
"""
_RUNS = 7
COLD_LIMIT, WARM_LIMIT = 1.0, 0.150  # CPU-seconds, of the issue that asked for this benchmark


def cold() -> float:
    """CPU-seconds of a new process that renders one edition."""
    before = _children()
    subprocess.run([sys.executable, "-c", f"{_RENDER}\nrender()"], check=True)
    return _children() - before


def warm() -> list[float]:
    """CPU-seconds of further renderings in this process."""
    scope: dict[str, object] = {}
    exec(_RENDER, scope)  # noqa: S102  the same words as in the process of its own
    render = scope["render"]
    assert callable(render)
    render()
    spent = []
    for _ in range(_RUNS):
        begun = time.process_time()
        render()
        spent.append(time.process_time() - begun)
    return spent


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    cold()  # writes the bytecode
    for name, spent, limit in (("cold", [cold() for _ in range(_RUNS)], COLD_LIMIT), ("warm", warm(), WARM_LIMIT)):
        print(f"{name}: median {median(spent):.3f} CPU-s of {_RUNS} (least {min(spent):.3f}); wanted: {limit}")


if __name__ == "__main__":
    main()
