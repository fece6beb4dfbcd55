"""What readers get. An issue goes through four rooms:

    source/       an issue's files → the document tree, with every fault named
    drawing/      the tree → HTML by way of a theme's MJML, and text
    message/      an edition → the bytes of one reader's mail
    checking/     an edition laid before the checks → findings

    compose.py    joins them: a draft becomes an edition
    letter.py     a small mail to one person: a few paragraphs and one link
    tree.py       the document
    figures.py    its pictures, in the order of the page
    personal.py   the marks that stand for a reader's fields on all the way
    wording.py    what a language calls things, and how it spells dates

None of the rooms imports another; the two modules that make something of all of them may.
"""
