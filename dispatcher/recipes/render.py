"""The recipe of `dispatcher render 29`: an issue as files, with nobody's data in it."""

from pathlib import Path

from dispatcher.config import Settings
from dispatcher.content.message.build import make_skeleton, merged_html, merged_text, neutral_reader
from dispatcher.recipes.editions import (
    compose_editions,
    filled,
    load_named,
    manifest,
    sample_message,
    say_warnings,
    say_weights,
)
from dispatcher.recipes.newsletter import sample_copy


def render(settings: Settings, what: str, out: Path) -> list[Path]:
    """Writes each language's HTML, text and message, and a manifest of hashes; missing pictures become boxes.

    The same files give the same bytes on any machine. Returns what was written.
    """
    issue = load_named(settings, what)
    editions = compose_editions(issue, settings, label_missing=True)
    say_warnings(editions)
    written: dict[Path, bytes] = {}
    for language, edition in editions.by_language.items():
        skeleton = make_skeleton(edition)
        reader = neutral_reader(skeleton, language)
        copy = sample_copy(settings, reader, number=issue.number)
        links = {"unsubscribe_url": copy.unsubscribe_url, "view_url": copy.view_url}
        written[out / f"{language}.html"] = filled(merged_html(skeleton, reader, **links)).encode()
        written[out / f"{language}.txt"] = filled(merged_text(skeleton, reader, **links)).encode()
        written[out / f"{language}.eml"] = sample_message(settings, skeleton, reader, issue.number)
    written[out / "manifest.json"] = manifest(editions).encode()
    say_weights(editions)
    out.mkdir(parents=True, exist_ok=True)
    for path, content in written.items():
        path.write_bytes(content)
    return list(written)
