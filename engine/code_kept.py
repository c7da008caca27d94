"""Whether somebody has the recovery code: who shows it on the page and asks for it to be typed says when it was.

Until then a page that is loaded anew has shown a code that nobody may have, and the vault remembers that.
"""

import apsw

_KEY = "recovery code to confirm"  # in the table `meta`


def remember(db: apsw.Connection, *, confirmed: bool) -> None:
    """Remember it of the code that is the vault's from now on, within the caller's transaction."""
    if confirmed:
        db.execute("DELETE FROM meta WHERE key = ?", (_KEY,))
    else:
        db.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, 1)", (_KEY,))


def confirmed(db: apsw.Connection) -> bool:
    """Whether it was typed; so is taken what was shown in a terminal, where it stays on the screen."""
    return not db.execute("SELECT 1 FROM meta WHERE key = ?", (_KEY,)).fetchone()
