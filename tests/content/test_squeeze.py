"""Squeezing: fewer bytes, the same styles."""

import pytest

from dispatcher.content.drawing.squeeze import squeezed_css, squeezed_html


@pytest.mark.parametrize(
    ("css", "squeezed"),
    [
        (".a { color: red; margin: 0 4px; }\n\n.b, .c > p { top: 0 }\n", ".a{color:red;margin:0 4px}.b,.c > p{top:0}"),
        ("p { color: red !important }", "p{color:red!important}"),
        ("@media (a: b) and (c: d) { .x { y: z } }", "@media (a:b) and (c:d){.x{y:z}}"),
        ("[data-ogsc] .x { a: b }", "[data-ogsc] .x{a:b}"),
        ("a:hover { b: c } /* why */ d { e: f }", "a:hover{b:c}d{e:f}"),
        (""".x { content: "a;  b" ; font: 'C  D', e }""", """.x{content:"a;  b";font:'C  D',e}"""),
        (":root { color-scheme: light dark }", ":root{color-scheme:light dark}"),
    ],
)
def test_spaces_go_where_they_mean_nothing(css: str, squeezed: str) -> None:
    assert squeezed_css(css) == squeezed
    assert squeezed_css(squeezed) == squeezed


def test_a_class_stays_while_a_style_block_asks_for_it() -> None:
    page = '<style>.a{b:c}</style><p class="a x" style="d:e; f:g;">class="x"</p><i class="x">; </i>'
    assert squeezed_html(page) == '<style>.a{b:c}</style><p class="a" style="d:e;f:g">class="x"</p><i>; </i>'


def test_what_only_outlook_sees_stays_as_it_was() -> None:
    comment = '<!--[if mso]><td class="x" style="a:b; c:d"><![endif]-->'
    assert squeezed_html(comment) == comment
