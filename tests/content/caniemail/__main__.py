"""Writes support.json anew: `python -m tests.content.caniemail caniemail.json`, a file of the npm package caniemail."""

import json
import re
import sys
from pathlib import Path

from tests.content.caniemail import FILE, PROGRAMS

_WORST_FIRST = "nau"


def main() -> None:
    data = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    features = {
        feature["slug"]: {name: _worst(feature["stats"], *where) for name, where in PROGRAMS.items()}
        for feature in data["data"]
        if feature["category"] in {"css", "html"}
    }
    reduced = {
        "source": "Can I email, https://www.caniemail.com",
        "licence": "MIT, as the npm package caniemail, copyright Avi Goldman, Andrew Powell",
        "date": data["last_update_date"][:10],
        "features": dict(sorted(features.items())),
    }
    FILE.write_text(json.dumps(reduced, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _worst(stats: dict[str, dict[str, dict[str, str]]], family: str, platforms: tuple[str, ...]) -> str:
    """The least of what the newest version on each platform supports."""
    newest = [_newest(stats[family][each]) for each in platforms if stats.get(family, {}).get(each)]
    return min((value[0] for value in newest), key=(_WORST_FIRST + "y").index, default="u")


def _newest(versions: dict[str, str]) -> str:
    return versions[max(versions, key=lambda version: [int(part) for part in re.findall(r"\d+", version)])]


main()
