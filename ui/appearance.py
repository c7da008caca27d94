"""Light, dark, or as the system has it: Streamlit's theme and our own styles, together.

Streamlit's theme is one for all sessions of its process, which is right here: there is one user. It reaches a browser
when a script's run begins, so that a change asks for another run.
"""

from typing import Any

_COMMON: dict[str, Any] = {
    "theme.baseRadius": "0.55rem",
    "theme.buttonRadius": "0.55rem",
    "theme.headingFont": "serif",
    "theme.headingFontWeights": [600, 600, 600, 600, 600, 600],
}
# Ink on paper, and the same at night.
_COLOURS = {
    "light": {
        "primaryColor": "#1d6b57",
        "backgroundColor": "#fbfaf7",
        "secondaryBackgroundColor": "#f1efe8",
        "textColor": "#22251f",
        "borderColor": "#dedace",
    },
    "dark": {
        "primaryColor": "#2b7c69",
        "backgroundColor": "#171917",
        "secondaryBackgroundColor": "#222522",
        "textColor": "#e6e4dc",
        "borderColor": "#383c37",
    },
}


def theme(choice: str) -> dict[str, Any]:
    """Streamlit's options for a choice: `system` gives it both sets of colours, the others one."""
    forced = choice if choice in _COLOURS else None
    options: dict[str, Any] = {**_COMMON, "theme.base": forced}
    for name, colours in _COLOURS.items():
        for key, value in colours.items():
            options[f"theme.{name}.{key}"] = None if forced else value
            if name == (forced or "light"):
                options[f"theme.{key}"] = value if forced else None
    return options


def dress(choice: str) -> bool:
    """Set what the next run of a session is drawn in; return whether that is another than before."""
    from streamlit import config

    changed = False
    for name, value in theme(choice).items():
        if config.get_option(name) != value:
            config.set_option(name, value)
            changed = True
    return changed


def styles(sheet: str, choice: str) -> str:
    """Our style sheet for a choice: what it says for a dark system is always so, or never."""
    if choice not in _COLOURS:
        return sheet
    media = {"light": "@media not all", "dark": "@media all"}[choice]
    return sheet.replace("@media (prefers-color-scheme: dark)", media) + f"\n:root {{ color-scheme: {choice}; }}"
