"""How long a million rows take to import, and how much memory: `python -m tests.benchmarks.imports [ROWS]`.

Three passes over one database: everybody is new; the same file again, where nobody has changed; a file in which
everybody's plan has. The limits are 60 s and 150 MB of resident memory each.
"""

import csv
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.newsletter import SCRIPTS, Newsletter

SECONDS, MEGABYTES = 60, 150


def write_list(path: Path, rows: int, plan: str) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["email", "name", "language", "plan"])
        writer.writerows(
            (f"reader.{number}@mail{number % 977}.example.net", f"Reader {number}", ("en", "zh", "")[number % 3], plan)
            for number in range(rows)
        )


def measured(folder: Path, *arguments: str) -> tuple[float, float]:
    """Seconds, and megabytes of the largest child so far."""
    began = time.monotonic()
    subprocess.run([str(SCRIPTS / "dispatcher"), "subscribers", *arguments], cwd=folder, check=True, timeout=900)
    return time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def passes(folder: Path, rows: int) -> Iterator[tuple[str, float, float]]:
    first, second = folder / "first.csv", folder / "second.csv"
    write_list(first, rows, "basic")
    write_list(second, rows, "pro")
    for name, path in (("everybody new", first), ("nothing changed", first), ("everybody changed", second)):
        yield name, *measured(folder, "import", str(path), "--list", "many")


def main() -> int:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    missed = False
    with tempfile.TemporaryDirectory() as name:
        Newsletter.make(Path(name))
        for label, seconds, megabytes in passes(Path(name), rows):
            missed = missed or seconds > SECONDS or megabytes > MEGABYTES
            print(
                f"{label:20} {rows:>9,} rows  {seconds:6.1f} s  {rows / seconds:>9,.0f}/s  {megabytes:5.0f} MB",
                flush=True,
            )
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
