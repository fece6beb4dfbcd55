"""An editor's desk: a good issue in a newsletter's folder, and what is made worse about it."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from dispatcher.config import Settings
from dispatcher.content.checking.verdict import Verdict
from dispatcher.recipes.check import Wish, check

TEMPLATES = Path(__file__).parents[2] / "templates"

GOOD = """\
---
title: Kettles of the week
subject: "Kettles 2: what boils, and what does not"
preheader: "Also: a poll about tea, two jobs, and a meetup for those who like steam."
date: 2026-11-25
---

Dear {{ subscriber.name | default("reader") }}, here is what boiled this week.

# At home

## The kettle that sings

![A red kettle on a stove](img/kettle.png)

Photo: Ann Example, CC BY 4.0 [[source](https://example.org/photo)]

> It boils at about one hundred degrees, and a little lower on a mountain.
>
> [… continue reading](https://example.org/singing)

Dig in

- [The makers of the kettle](https://example.org/makers)

## The cup that keeps warm

A cup of two walls with nothing between them, which is all that there is to it.

### How it works

Nothing does not conduct heat. See [the theory of nothing](https://example.org/nothing).

::: sponsor https://example.com/leaf?utm_source=kettles Leaf & Sons
Tea since 1871, in tins that close.
:::

# Dates

::: jobs
- [Tea taster](https://example.com/jobs/2), Leaf & Sons, Example City, until 2026-12-31
:::

::: events
- 2026-12-01 [Kettle Meetup](https://example.org/meetup), online
:::

# Keep reading

If that was not enough:

::: card https://example.net/another
The title of another page
One line about it.
:::
"""

SETTINGS = {
    "name": "Kettles",
    "sender": "Kettles <kettles@example.org>",
    "postal_address": "Kettles, 1 Example Street, Exampletown",
    "base_url": "https://kettles.example.org",
}


@dataclass(slots=True)
class Desk:
    """A newsletter's folder with one good issue, number 2."""

    folder: Path

    @classmethod
    def lay(cls, folder: Path) -> "Desk":
        desk = cls(folder)
        desk.write("issues/2/issue.md", GOOD)
        (folder / "issues/2/img").mkdir()
        Image.new("RGB", (640, 360), "darkred").save(folder / "issues/2/img/kettle.png")
        return desk

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def change(self, old: str, new: str, name: str = "issues/2/issue.md") -> None:
        path = self.folder / name
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{old!r} is not in {name}"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    def redraw(self, file: str, old: str, new: str) -> None:
        """Changes a file of the theme, of which the newsletter then has a copy of its own."""
        own = self.folder / "templates/default" / file
        own.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(TEMPLATES / "default" / file, own)
        self.change(old, new, f"templates/default/{file}")

    def line_of(self, words: str, name: str = "issues/2/issue.md") -> int:
        lines = (self.folder / name).read_text(encoding="utf-8").splitlines()
        return next(number for number, line in enumerate(lines, 1) if words in line)

    def check(self, what: str = "2", wish: Wish | None = None, **settings: str) -> Verdict:
        return check(Settings(folder=self.folder, **{**SETTINGS, **settings}), what, wish or Wish())  # type: ignore[arg-type]


def told(verdict: Verdict) -> list[tuple[str, str, int | None]]:
    """Of each finding, its number and its place."""
    return [(each.check, each.fault.path, each.fault.line) for each in verdict.findings]
