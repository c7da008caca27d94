"""Typing into the page's forms."""


def enter(box, words):
    """Type into a field and press Enter, once all of its form is there: Streamlit sends nothing before its button is."""
    box.wait_for()
    box.page.locator("[data-test-script-state=notRunning]").wait_for()
    box.fill(words)
    box.press("Enter")
