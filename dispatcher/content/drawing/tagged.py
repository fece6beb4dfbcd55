"""Adds the newsletter's UTM tags to an issue's links, where a newsletter asks for them; by default none does."""

from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

from dispatcher.content.personal import has_mark

_T = TypeVar("_T")


def tagged(node: _T, tags: str, *, but: str) -> _T:
    """A document, or a part of one, with `tags` in the query of each web link.

    Links that have tags of their own keep them, as a sponsor's do; those that begin with `but`, our own, and those
    that hold personal fields stay as they are.
    """
    return _tagged(node, tags, but) if tags else node


def _tagged(node: Any, tags: str, but: str) -> Any:
    if isinstance(node, tuple):
        return tuple(_tagged(each, tags, but) for each in node)
    if not is_dataclass(node) or isinstance(node, type):
        return node
    changed = {}
    for each in fields(node):
        value = getattr(node, each.name)
        new = _with_tags(value, tags, but) if each.name == "url" else _tagged(value, tags, but)
        if new is not value and new != value:
            changed[each.name] = new
    return replace(node, **changed) if changed else node


def _with_tags(url: str | None, tags: str, but: str) -> str | None:
    if url is None or not url.startswith(("http://", "https://")) or url.startswith(but) or has_mark(url):
        return url
    parts = urlsplit(url)
    if "utm_" in parts.query:
        return url
    return urlunsplit(parts._replace(query=f"{parts.query}&{tags}" if parts.query else tags))
