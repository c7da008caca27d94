"""Typing into the page's forms."""


def enter(box, words):
    """Type into a field and press Enter, once all of its form is there: without its button, Enter sends nothing."""
    box.wait_for()
    box.page.locator("[data-test-script-state=notRunning]").wait_for()
    box.fill(words)
    box.press("Enter")
