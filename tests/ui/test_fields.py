"""No field of the page is one that a browser remembers."""

import re
from pathlib import Path

import streamlit
from playwright.sync_api import expect

from ui import fields, serve

PASSPHRASE = "seven copper kettles whistle"
KEPT = """() => [...document.querySelectorAll('input, textarea')]
    .filter(field => field.autocomplete !== 'off'
        || field.localName === 'textarea' && (!field.form || field.form.autocomplete !== 'off'))
    .map(field => field.outerHTML)"""


def test_every_field_of_every_screen_is_left_out_of_what_a_browser_keeps(watch, launch, tmp_path):
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "lease.md").write_text("The lease of the garage ends on 3 May 2027.")
    with launch(tmp_path / "run") as running, watch() as seen:
        page = seen.page
        page.goto(running.url)
        page.get_by_text("Choose a passphrase").wait_for()
        assert page.evaluate(KEPT) == []
        running.call("create", passphrase=PASSPHRASE)
        running.call("folders.add", path=str(tmp_path / "papers"))
        running.call("wait")
        page.get_by_placeholder(re.compile("Ask ")).wait_for()
        expect(page.locator("textarea")).to_have_count(1)
        assert page.evaluate(KEPT) == []
        for screen, there in (("Library", "Find"), ("Folders", "Folder"), ("Settings", "Write a backup to")):
            page.get_by_role("link", name=screen).click()
            page.get_by_label(there).first.wait_for()
            assert page.locator("input").count() > 0
            assert page.evaluate(KEPT) == []
        # The watch can fail: a field that the page's own script has not seen yet.
        late = "document.body.insertAdjacentHTML('beforeend', '<textarea></textarea>'); return found()"
        assert len(page.evaluate(f"() => {{ const found = {KEPT}; {late} }}")) == 1
        assert page.evaluate(KEPT) == []  # and a moment later it has
        assert seen.errors == []
        assert seen.elsewhere(running.host) == []


def test_the_page_has_the_script_and_the_form_that_its_text_areas_belong_to():
    index = serve.page((Path(streamlit.__file__).parent / "static" / "index.html").read_text())
    assert f'<script src="{fields.address()}"></script>' in index
    assert index.index(fields.address()) < index.index('type="module"')  # it looks on before there is anything
    assert fields.FORM in index
