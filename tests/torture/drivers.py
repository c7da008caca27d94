"""The operations that are crashed: how the disk is before, what is done, and what must be there afterwards.

Everything lies below one root: `vault`, `state`, and what an operation makes besides. The documents lie outside of it:
they are the user's and never written.
"""

from collections.abc import Callable
from dataclasses import dataclass

from tests.torture import changing, copies, reading
from tests.torture.afterwards import Known, Place, look


def make_read(place: Place) -> None:
    """A vault with the papers in it."""
    changing.make_vault(place)
    reading.put_papers(place)
    reading.do_ingest(place)


@dataclass(frozen=True)
class Driver:
    """One operation. `check` raises WrongError, and returns what was found in words."""

    make: Callable[[Place], None]
    do: Callable[[Place], None]
    check: Callable[[Place, Known], str] = look
    engine: bool = False
    """runs the engine, whose threads do not call in the same order each time"""


DRIVERS = {
    "create": Driver(copies.make_nothing, copies.do_create, copies.check_create),
    "settings": Driver(changing.make_vault, changing.do_settings),
    "ingest": Driver(changing.make_vault, reading.do_ingest, engine=True),
    "reindex": Driver(make_read, reading.do_reindex, engine=True),
    "remove": Driver(make_read, reading.do_remove, engine=True),
    "purge": Driver(changing.make_vault, changing.do_purge, changing.check_purge),
    "shred": Driver(changing.make_vault, changing.do_shred, changing.check_shred),
    "passphrase": Driver(changing.make_vault, changing.do_passphrase, changing.check_passphrase),
    "recovery": Driver(changing.make_vault, changing.do_recovery, changing.check_recovery),
    "revoke": Driver(changing.make_vault, changing.do_revoke, changing.check_revoke),
    "backup": Driver(changing.make_vault, copies.do_backup, copies.check_backup),
    "restore": Driver(copies.make_backed_up, copies.do_restore, copies.check_restore),
    "restore-over": Driver(copies.make_backed_up, copies.do_restore_over, copies.check_restore_over),
    "destroy": Driver(changing.make_vault, copies.do_destroy, copies.check_destroy),
    "migrate": Driver(copies.make_old, copies.do_migrate, copies.check_migrate),
}
