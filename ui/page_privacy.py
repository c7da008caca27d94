"""Privacy: what is protected and by what, as it is now, and how to see it without trusting us."""

from ui import look


def show() -> None:
    """Draw the screen."""
    look.title("Privacy", "What is protected, by what, and how to see it from outside.")
