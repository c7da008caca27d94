"""Settings: each explained in a line, and kept at once."""

from ui import look


def show() -> None:
    """Draw the screen."""
    look.title("Settings", "Each is kept at once, in the vault.")
