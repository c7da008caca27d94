"""The page as it is served: switches, the patched index, and that only escaped text reaches Streamlit's Markdown."""

import ast
import re
from pathlib import Path

import pytest

import ui
from ui import appearance, serve

UI = Path(ui.__file__).parent
SCREENS = [*sorted(UI.glob("page*.py")), UI / "look.py", UI / "link.py"]

# What Streamlit shows through Markdown, or by fetching it.
MARKDOWN = {
    *("badge", "caption", "chat_message", "data_editor", "dataframe", "echo", "error", "exception", "header"),
    *("help", "iframe", "image", "info", "json", "latex", "link_button", "logo", "markdown", "menu_button", "mermaid"),
    *("metric", "pdf", "subheader", "success", "table", "title", "toast", "warning", "write", "write_stream"),
}
LABELLED = {
    *("button", "chat_input", "checkbox", "dialog", "expander", "form_submit_button", "popover", "progress", "radio"),
    *(
        "date_input",
        "number_input",
        "download_button",
        "multiselect",
        "pills",
        "segmented_control",
        "selectbox",
        "spinner",
        "status",
        "tabs",
        "text_input",
        "toggle",
    ),
}


def _calls(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node, node.func.attr


@pytest.mark.parametrize("path", SCREENS, ids=lambda p: p.name)
def test_no_screen_uses_what_understands_markdown(path):
    used = {name for node, name in _calls(path) if isinstance(node.func.value, ast.Name) and node.func.value.id == "st"}
    assert used & MARKDOWN == set()


@pytest.mark.parametrize("path", SCREENS, ids=lambda p: p.name)
def test_what_is_shown_to_be_copied_is_plain_text(path):
    """`st.code` shows its text as it is, unless it is told a language to colour it by."""
    for node, name in _calls(path):
        if name == "code":
            languages = [ast.unparse(each.value) for each in node.keywords if each.arg == "language"]
            assert languages == ["None"], ast.unparse(node)


@pytest.mark.parametrize("path", SCREENS, ids=lambda p: p.name)
def test_labels_are_our_own_words(path):
    """A label is Markdown too. It must stand in the source, or be a parameter of which that is required."""
    passed_on = {
        "look.py": "label if number is None else f'{label} {number}'",
        "page_passage.py": "words",
        "page_document.py": "label",
        "page_library.py": "words",  # the name of a filter, and of a way to turn pages: both ours
        "page_settings.py": "label",
        "page_readers.py": "_NAMES[name]",
    }
    for node, name in _calls(path):
        of_streamlit = isinstance(node.func.value, ast.Name) and node.func.value.id == "st"
        if of_streamlit and name in LABELLED:
            if name == "progress" and len(node.args) == 1:
                continue  # it has no words
            label = node.args[1 if name == "progress" else 0]
            assert _constant(label) or ast.unparse(label) == passed_on.get(path.name), ast.unparse(node)
        elif name == "pick":
            assert _constant(node.args[2]) or ast.unparse(node.args[2]) == passed_on.get(path.name), ast.unparse(node)
    for function, place in _parameters(path, passed_on.get(path.name)):
        for call in (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)):
            if isinstance(call.func, ast.Name) and call.func.id == function:
                assert _constant(call.args[place]), ast.unparse(call)


def _parameters(path, name):
    """(function, place) of each function of a file that takes a label of that name."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            yield from ((node.name, n) for n, each in enumerate(node.args.args) if each.arg == name)


def _constant(label):
    if isinstance(label, ast.IfExp):
        return _constant(label.body) and _constant(label.orelse)
    return isinstance(label, ast.Constant) and isinstance(label.value, str)


def test_the_page_is_not_translated_nor_spell_checked_and_names_no_other_place():
    import streamlit

    index = serve.page((Path(streamlit.__file__).parent / "static" / "index.html").read_text())
    head = re.search(r"<html[^>]*>", index).group()
    assert 'translate="no"' in head
    assert 'spellcheck="false"' in head
    assert "<title>Strongroom</title>" in index
    assert "service-desc" not in index
    assert re.findall(r"<script(?![^>]*\bsrc=)[^>]*>", index) == []
    assert re.findall(r"""(?:src|href)=["'](?:https?:)?//""", index) == []


def test_another_index_than_expected_is_noticed():
    with pytest.raises(RuntimeError):
        serve.page("<html><body></body></html>")


def test_every_switch_is_known_to_streamlit():
    from streamlit import config

    known = config.get_config_options()
    assert {name for name in {**serve._SWITCHES, **appearance.theme("system")} if name not in known} == set()


def test_no_module_here_hides_a_package():
    packages = {path.name for path in UI.parent.iterdir() if (path / "__init__.py").exists()}
    assert {path.stem for path in UI.glob("*.py")} & packages == set()


def test_the_log_names_a_failure_but_not_what_it_said(caplog):
    import logging

    before = logging.getLogRecordFactory()
    serve._quiet()
    try:
        words = {}
        try:
            words["the deposit is 2,480 euros"]
        except KeyError:
            logging.getLogger("streamlit.test").exception("while showing %s", "the deposit")
    finally:
        logging.setLogRecordFactory(before)
    assert "KeyError at " in caplog.text
    assert "test_serve.py" in caplog.text
    assert "deposit" not in caplog.text
