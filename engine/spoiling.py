"""A throwaway vault's files, spoilt one way after the other and opened: what must be refused, and what must be gone."""

import hashlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from engine import canaries as words
from engine.verdict import CHANGED, PURGED, Row, judged
from vault import anchor, keys, pages, store
from vault.errors import DamagedVaultError
from vault.folder import read_header, state_folder
from vault.vault import HEADER_NAME, Vault

_FLIPS = 24  # bits changed, one copy each, in each of the vault's files
_COPY = "# with a copy of your own vault: docs/how-to/verify.md, by hand"


@dataclass(frozen=True, slots=True)
class Place:
    """Where everything of one rehearsal lies."""

    folder: Path
    elsewhere: tuple[Path, ...]
    """folders in which programs leave things"""
    since: float
    """seconds since 1970"""
    canaries: words.Canaries
    purged: Path
    passphrase: str

    @property
    def vault(self) -> Path:
        """The vault's folder."""
        return self.folder / "vault"

    @property
    def state(self) -> Path:
        """The state folder."""
        return self.folder / "state"


def tampered(place: Place) -> list[Row]:
    """Change copies of the closed vault, and open them."""
    header = read_header(place.vault)
    opened = keys.unlock_with_passphrase(header, place.passphrase)
    apart = state_folder(place.state, header.vault_id)
    whole = _opened(place, opened, lambda _vault, _state: None)
    database = store.name(header.epoch)
    before = keys.unlock_with_passphrase(read_header(place.folder / "older"), place.passphrase)
    missed, tried = [], 0
    for name, in_vault in ((HEADER_NAME, True), (database, True), (anchor.FILE_NAME, True), (anchor.FILE_NAME, False)):
        size = ((place.vault if in_vault else apart) / name).stat().st_size
        for number in range(_FLIPS):
            at, bit = number * size // _FLIPS + number % 7, 1 << (number % 8)
            came = _opened(place, opened, _flip(name, at, bit, in_vault=in_vault))
            tried += 1
            if came not in ("", whole):
                missed.append(f"{name}, byte {at}")
    older = _opened(place, before, _put_back(place.folder / "older"))
    left = [place.canaries.words["purged"].encode() in each for each in _decrypted(place, opened, database)]
    kept = [place.canaries.words["word"].encode() in each for each in _decrypted(place, opened, database)]
    return [
        Row(
            "tamper.bits", CHANGED, "A changed bit is noticed, or changes nothing", judged(whole != "" and not missed),
            f"changed one bit in each of {tried} copies: in keys, database and both anchors, and opened them",
            f"taken for good: {', '.join(missed[:4])}" if missed else "each was refused, or held exactly what it had",
            _COPY, "an exit status of 3, and a message that says what to do",
        ),
        Row(
            "tamper.older", CHANGED, "A database from an earlier day, put back, is noticed", judged(older == ""),
            "put back keys and database as they were before the purge",
            "it was refused" if older == "" else "it was taken",
            _COPY, "an exit status of 3, with both dates",
        ),
        _shredded(place.vault / database, before.database),
        Row(
            "purge.pages", PURGED, "No page of the database holds a purged paper, also no unused one",
            judged(not any(left) and any(kept)),
            f"decrypted all {len(left)} pages and searched them for a word of the purged paper and one of another",
            f"the purged one is on {sum(left)}, the other on {sum(kept)}",
            "strongroom purge --receipts", "the pages are among what was searched",
        ),
    ]  # fmt: skip


def _shredded(database: Path, key: bytes) -> Row:
    """Whether the key from before the purge still opens a page of the database."""
    data = database.read_bytes()
    starts = range(0, len(data), pages.PAGE_BYTES)
    found = [
        pages.opened(data[start : start + pages.PAGE_BYTES], number, key)
        for number, start in enumerate(starts, start=1)
    ]
    under_it = sum(each is not None for each in found)
    return Row(
        "purge.shredded", PURGED, "After a purge the database is under a new key, and the old one opens no page of it",
        judged(bool(found) and not under_it),
        "shredded what was purged, and tried to decrypt each page with the key from before",
        f"it opens {under_it} of {len(found)}", "strongroom purge --receipts", "shredded, with the day",
    )  # fmt: skip


def _flip(name: str, at: int, bit: int, *, in_vault: bool) -> Callable[[Path, Path], None]:
    def change(vault: Path, state: Path) -> None:
        path = (vault if in_vault else state) / name
        data = bytearray(path.read_bytes())
        data[min(at, len(data) - 1)] ^= bit
        path.write_bytes(data)

    return change


def _put_back(older: Path) -> Callable[[Path, Path], None]:
    def change(vault: Path, _state: Path) -> None:
        for each in vault.glob("store-*"):
            each.unlink()
        for each in (older / HEADER_NAME, *older.glob("store-*")):
            shutil.copyfile(each, vault / each.name)

    return change


def _opened(place: Place, opened: keys.Keys, change: Callable[[Path, Path], None]) -> str:
    """A digest of all that a changed copy holds; empty where it is refused."""
    copy = place.folder / "copy"
    vault, state = copy / "vault", copy / "state"
    shutil.copytree(place.vault, vault, ignore=shutil.ignore_patterns("*.lock"))
    own = state_folder(state, read_header(place.vault).vault_id)
    shutil.copytree(state_folder(place.state, read_header(place.vault).vault_id), own, dirs_exist_ok=True)
    try:
        change(vault, own)
        found = Vault.open_with_keys(vault, read_header(vault), opened, state=state)
        try:
            with found.read() as db:
                if db.execute("PRAGMA integrity_check(1)").get != "ok":
                    return ""
                rows = db.execute(
                    "SELECT id, title, sender, text FROM document JOIN content ON content.document = number ORDER BY id"
                ).fetchall()
                return hashlib.sha256(repr(rows).encode()).hexdigest()
        finally:
            found.close()
    except DamagedVaultError:
        return ""
    finally:
        shutil.rmtree(copy)


def _decrypted(place: Place, opened: keys.Keys, database: str) -> Iterator[bytes]:
    return pages.decrypted(place.vault / database, opened.database)
