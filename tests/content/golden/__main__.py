"""Accepts what `dispatcher render` now makes of the reference issue; look at `git diff` before you commit it."""

import argparse
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.content.golden import ACCEPT, GOLDEN, THEMES, rendered


def main() -> None:
    parser = argparse.ArgumentParser(prog=ACCEPT.rpartition(" ")[0], description=__doc__)
    parser.add_argument("--accept", action="store_true", required=True, help="write the golden files anew")
    parser.parse_args()
    for theme in THEMES:
        with TemporaryDirectory() as folder:
            made = rendered(Path(folder), theme, {})
        shutil.rmtree(GOLDEN / theme, ignore_errors=True)
        (GOLDEN / theme).mkdir()
        for name, content in made.items():
            (GOLDEN / theme / name).write_bytes(content)


if __name__ == "__main__":
    main()
