"""The one door to premailer: moves a theme's inlined styles into the tags, for programs that drop `<style>`."""

import logging
import re
from collections import Counter

from dispatcher.content.drawing.squeeze import squeezed_css, squeezed_html
from dispatcher.content.personal import MARK

_INLINED = re.compile(r"<mj-style\s+inline=\"inline\"\s*>(.*?)</mj-style>", re.DOTALL)
_BLOCK = re.compile(r"(?P<open><mj-style>)(?P<css>.*?)(?=</mj-style>)", re.DOTALL)
_COMMENT = re.compile(r"(<!--.*?-->)", re.DOTALL)


def take_inlined_styles(mjml: str) -> tuple[str, str]:
    """The MJML without its `<mj-style inline="inline">`, and their rules; the engine would leave them in the head.

    What stays in style blocks is squeezed here, for nothing changes it afterwards.
    """
    kept = _BLOCK.sub(lambda block: block["open"] + squeezed_css(block["css"]), _INLINED.sub("", mjml))
    return kept, "\n".join(_INLINED.findall(mjml))


def inline_styles(html: str, rules: str) -> str:
    """The HTML with `rules` in its tags' `style`; its own style blocks and conditional comments stay as they are."""
    # A tenth of a second, which a run that goes on with frozen editions need not spend.
    import cssutils  # noqa: PLC0415
    from premailer import Premailer  # noqa: PLC0415

    cssutils.log.setLevel(logging.CRITICAL)  # it has opinions about every mso- property
    # In lower case premailer overlooks the doctype and drops it, and browsers fall into quirks mode.
    html = html.replace("<!doctype html>", "<!DOCTYPE html>", 1)
    inlined: str = Premailer(
        "".join(piece if piece.startswith("<!--") else _keep_styles(piece) for piece in _COMMENT.split(html)),
        css_text=rules,
        disable_validation=True,
        allow_network=False,
        strip_important=False,  # dark mode lives by !important
        remove_classes=False,
        remove_unset_properties=False,
        align_floating_images=False,
        disable_link_rewrites=True,
    ).transform(pretty_print=False)
    return squeezed_html(inlined)


def damage(before: str, after: str) -> list[str]:
    """What was lost between MJML and finished HTML, in words; empty when all is well."""
    losses = [f"the mark of field {number}" for number in _marks(before) - _marks(after)]
    if not after.startswith("<!DOCTYPE html>"):
        losses.append("the doctype")
    if after.count("\\u{") > before.count("\\u{"):
        losses.append("an attribute outside ASCII")
    return losses


def _keep_styles(html: str) -> str:
    # One with media= is left alone anyway, and the attribute would stay on it.
    return re.sub(r"<style(?![^>]*\bmedia=)", '<style data-premailer="ignore"', html)


def _marks(text: str) -> Counter[str]:
    return Counter(mark[1] for mark in MARK.finditer(text))
