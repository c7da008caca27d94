"""What is looked for in the copy that shreds: what was purged since the vault was opened, and every id on the list."""

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

import apsw

from vault import purge_list, readback
from vault.needles import Needles
from vault.readback import Check

if TYPE_CHECKING:
    from vault.vault import Vault


class Sought:
    """What to look for in the copy: pieces of what was purged, in memory only, and every listed document's id.

    The pieces are those of purges of this life of the process. Ids are looked for without knowing them: whatever
    looks like one is hashed, and the hash compared with the list of what was purged.
    """

    def __init__(self, vault: "Vault", pieces: Mapping[bytes, str]) -> None:
        self._what = dict(pieces)
        self._needles = Needles(self._what)
        self._tag = vault.purge_tag
        with vault.read() as db:
            self._tags = set(purge_list.stored(db)[1])
        self.found: Counter[bytes] = Counter()
        self.bytes = 0

    def look(self, content: bytes) -> None:
        """Search some pages' content."""
        self.bytes += len(content)
        self.found.update(self._needles.found_in(content))
        self.found.update(i for i in readback.ids_in(content) if self._tag(i.decode()) in self._tags)

    def begin_again(self) -> None:
        """All pages come again."""
        self.found.clear()
        self.bytes = 0

    def knows(self, piece: bytes) -> bool:
        """Whether this piece was looked for."""
        return piece in self._what

    def checks(self, db: apsw.Connection) -> list[Check]:
        """What was looked for, and what was found that no other document holds."""
        _, shared = readback.in_other_documents(db, list(self.found), ())
        where = f"every page of the new database, read back and decrypted ({self.bytes // 2**20 + 1:,} MiB)"
        left = {piece for piece in self.found if piece not in shared}
        kinds = dict.fromkeys(self._what.values())
        return [
            Check("ids on the list of what was purged", where, len(self._tags), len(left - set(self._what))),
            *(
                Check(
                    kind,
                    where,
                    sum(each == kind for each in self._what.values()),
                    sum(self._what.get(piece) == kind for piece in left),
                )
                for kind in kinds
            ),
        ]
