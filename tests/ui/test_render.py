"""What a document hides is named in the terminal."""

from ui import render
from ui.terminal import Style

PLAIN = Style(colours=False)


def test_what_a_document_hides_is_named_where_it_stands():
    text = "The rent is 950.\n\nThe rent is 9\u202e500.\n\nIt is due."
    at = text.index("The rent is 9\u202e")
    end = text.index("\n\nIt")
    shown = render.with_hidden(text, 0, [(at, end)], PLAIN)
    assert shown == "The rent is 950.\n\n⟦hidden in the document: The rent is 9⟨RLO⟩500.⟧\n\nIt is due."


def test_a_stretch_names_what_of_it_is_hidden():
    assert render.with_hidden("cdef", 2, [(0, 3), (5, 9)], PLAIN) == "⟦hidden in the document: c⟧de⟦hidden in the document: f⟧"
    assert render.with_hidden("cdef", 2, [(0, 2), (6, 9)], PLAIN) == "cdef"
