"""The vault's own promises, tried on the vault of the user: by `strongroom verify`, and by the page in the engine.

Everything here runs in a locked process. Nothing of the vault is changed but the note of when it was tried and what
came out; what is tampered with, and purged from, are copies in a folder aside, encrypted as the vault is.
"""

import json
import secrets
import shlex
import shutil
import time
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import apsw

from engine.verdict import CHANGED, PURGED, READABLE, Row, from_json, judged
from retrieval import keyword
from vault import keys, purge, store
from vault.errors import DamagedVaultError, StrongroomError
from vault.failures import WrongPassphraseError, explained
from vault.vault import HEADER_NAME, Vault

_FLIPS = 64  # bits changed in the header, spread over it
_SAMPLES, _SAMPLE_BYTES = 64, 16 * 1024  # blocks of the database that are looked at, spread over it
_NOISE = 0.98  # what of such a block is left when it is compressed: pages of plain SQLite come down to .1 to .7
_PROGRESS_STEPS = 1000  # of SQLite's machine, or pages, between two looks at the clock
_KEY = "verified"  # in the table `meta`
_MOST_KEPT, _MOST_KEPT_BYTES = 4, 256 * 1024


# --- without a key ---------------------------------------------------------------------------------------------------


def closed(folder: Path) -> list[Row]:
    """What can be tried without the passphrase. Raises StrongroomError where the header cannot be read."""
    raw = (folder / HEADER_NAME).read_bytes()
    header = keys.Header.from_bytes(raw)
    quoted = shlex.quote(str(folder))
    loose = [each.name for each in [folder, *folder.iterdir()] if each.stat().st_mode & 0o077]
    flips = [(at * len(raw) // _FLIPS, 1 << (at % 8)) for at in range(_FLIPS)]
    noticed = sum(_header_refused(raw, place, bit) for place, bit in flips)
    return [
        Row(
            "vault.modes", READABLE, "Only you can enter the vault's folder", judged(not loose),
            "looked at the rights of the folder and each file in it",
            f"others may reach {', '.join(loose)}" if loose else "no right for group or others",
            f"stat -c '%A %n' {quoted} {quoted}/*", "------ at the end of every mode",
        ),
        _noise(folder / store.name(header.epoch)),
        Row(
            "vault.header", CHANGED, "A changed bit in the file that holds the wrapped keys is noticed",
            judged(noticed == len(flips)), f"changed {len(flips)} single bits in a copy of it",
            f"{noticed} of {len(flips)} were refused",
            by_hand(folder, HEADER_NAME, 40), "it is refused; delete /tmp/copy and /tmp/copy-state afterwards",
        ),
    ]  # fmt: skip


def by_hand(folder: Path, name: str, at: int) -> str:
    """The command that changes a byte of a copy and opens that, with a state folder of its own: in the user's, the
    copy's next commit would make the vault itself look older."""
    return (
        f"cp -r {shlex.quote(str(folder))} /tmp/copy && printf X | dd of=/tmp/copy/{name} bs=1 seek={at} conv=notrunc"
        " && XDG_STATE_HOME=/tmp/copy-state strongroom --vault /tmp/copy verify --short"
    )


def _header_refused(raw: bytes, place: int, bit: int) -> bool:
    changed = bytearray(raw)
    changed[place] ^= bit
    try:
        keys.Header.from_bytes(bytes(changed))
    except StrongroomError:
        return True
    return False


def _noise(database: Path) -> Row:
    """Whether the file is noise all through: what is encrypted cannot be made smaller by compressing it."""
    size = database.stat().st_size
    step = max(_SAMPLE_BYTES, size // _SAMPLES)
    smallest, looked = 1.0, 0
    with database.open("rb") as file:
        start = file.read(16)
        for at in range(0, max(size - _SAMPLE_BYTES, 1), step):
            file.seek(at)
            block = file.read(_SAMPLE_BYTES)
            smallest, looked = min(smallest, len(zlib.compress(block, 1)) / max(len(block), 1)), looked + 1
    plain = start.startswith(b"SQLite format 3") or smallest < _NOISE
    quoted = shlex.quote(str(database))
    return Row(
        "vault.noise", READABLE, "The database is noise to whoever has no key", judged(not plain),
        f"tried to compress {looked} pieces of it, spread over the file: words shrink, encrypted bytes do not",
        "it begins with SQLite's own mark" if start.startswith(b"SQLite") else f"the best shrank to {smallest:.0%}",
        f"gzip -1 < {quoted} | wc -c; wc -c < {quoted}", "two numbers that are about equal",
    )  # fmt: skip


# --- with the vault open ---------------------------------------------------------------------------------------------


def opened(vault: Vault, aside: Path, *, most_copied: int, seconds: float) -> list[Row]:
    """What can be tried while it is open. Copies of the database go to `aside`; a database that is larger than
    `most_copied` bytes is not copied; reading all of it ends after `seconds`."""
    folder = shlex.quote(str(vault.folder))
    with vault.read() as db:
        vault.checkpoint()
        size = vault.database.stat().st_size
        return [
            _noticed(
                Row(
                    "vault.wrong", READABLE, "A wrong passphrase opens nothing", "held",
                    "gave a passphrase of 128 random bits, and an empty one", "both were refused",
                    f"STRONGROOM_PASSPHRASE_FILE=/dev/null strongroom --vault {folder} list",
                    "no document, and an exit status other than 0",
                ),
                lambda: [_refused(vault.header, each) for each in (secrets.token_hex(16), "")],
            ),
            _whole(db, size, seconds, folder),
            _tampered(vault, aside, size, most_copied),
            _stays_purged(vault, db),
        ]  # fmt: skip


def _noticed(row: Row, attempt: Callable[[], Iterable[bool]]) -> Row:
    import dataclasses

    return row if all(attempt()) else dataclasses.replace(row, result="not held", found="it was taken")


def _refused(header: keys.Header, passphrase: str) -> bool:
    try:
        keys.unlock_with_passphrase(header, passphrase)
    except WrongPassphraseError:
        return True
    return False


def _whole(db: apsw.Connection, size: int, seconds: float, folder: str) -> Row:
    """SQLite reads every page, which fails for one whose authentication tag is not right, and looks at how they hang
    together."""
    until = time.monotonic() + seconds
    ok: bool | None
    try:
        db.set_progress_handler(lambda: time.monotonic() > until, _PROGRESS_STEPS)
        damage = str(db.execute("PRAGMA integrity_check(1)").get)
        ok, found = damage == "ok", "nothing wrong was found" if damage == "ok" else damage
    except apsw.InterruptError:
        ok, found = None, f"nothing wrong was found in {seconds:.0f} seconds; the rest was not read"
    except (apsw.Error, StrongroomError) as error:
        ok, found = False, str(error)
    finally:
        db.set_progress_handler(None)
    return Row(
        "vault.whole", CHANGED, "Every page of the database is as it was written", judged(ok),
        f"read it page by page, {size:,} bytes", found,
        f"strongroom --vault {folder} backup /tmp/copy", "it compares each row, and fails at a damaged page",
    )  # fmt: skip


def _tampered(vault: Vault, aside: Path, size: int, most: int) -> Row:
    """One bit in the middle of a copy; the copy as it is has to open, or the trial would prove nothing."""
    claim = "A changed bit in the database is noticed"
    command = by_hand(vault.folder, vault.database.name, size // 2)
    if size > most or shutil.disk_usage(aside).free < 2 * size:
        why = "the database is too large to be copied for it" if size > most else "too little space for a copy"
        return Row("vault.tampered", CHANGED, claim, "unknown", "", why, command, "that it is not held there")
    copy = aside / "copy.db"
    try:
        shutil.copyfile(vault.database, copy)
        before = _intact(copy, vault.database_key)
        with copy.open("r+b") as file:
            file.seek(size // 2)
            byte = file.read(1)[0]
            file.seek(size // 2)
            file.write(bytes([byte ^ 1]))
        after = _intact(copy, vault.database_key)
    finally:
        copy.unlink(missing_ok=True)
    return Row(
        "vault.tampered", CHANGED, claim, judged(before and not after),
        "changed one bit in the middle of a copy, and read the copy before and after",
        "the copy was whole before, refused after" if before and not after else "it was read all the same",
        command, "that it is not held there",
    )  # fmt: skip


def _intact(database: Path, key: bytes) -> bool:
    try:
        with explained(database.parent):
            db = store.open_readonly(database, key)
            try:
                return bool(db.execute("PRAGMA integrity_check(1)").get == "ok")
            finally:
                db.close()
    except DamagedVaultError:
        return False


def _stays_purged(vault: Vault, db: apsw.Connection) -> Row:
    """Whether a document is there whose keyed hash says that it was purged."""
    tags = {bytes(tag) for (tag,) in db.execute("SELECT tag FROM purged")}
    back = sum(vault.purge_tag(str(each)) in tags for (each,) in db.execute("SELECT id FROM document")) if tags else 0
    receipts = db.execute("SELECT count(*), count(*) FILTER (WHERE body LIKE '%\"confirmed\": true%') FROM receipt")
    counted: Any = receipts.fetchone()
    made, confirmed = counted
    told = "none is there" if tags else "nothing was purged from this vault"
    if back or made != confirmed:
        told = f"{back:,} are there again, {made - confirmed:,} receipts are not confirmed"
    return Row(
        "purge.stays", PURGED, "What you purged has not come back", judged(not back and made == confirmed),
        f"compared each document with the marks of {len(tags):,} purged ones, and looked at {made:,} receipts",
        told,
        "strongroom purge --receipts", "nothing was found, in each of them",
    )  # fmt: skip


def purged_on_a_copy(folder: Path, passphrase: str, aside: Path, *, most: int) -> Row:
    """Purge a document of a copy of the closed vault, and look for it there. `most` bytes are copied for that."""
    claim = "A purge from your vault leaves nothing, tried on a copy"
    epoch = keys.Header.from_bytes((folder / HEADER_NAME).read_bytes()).epoch
    files = [folder / HEADER_NAME, *folder.glob(f"{store.name(epoch)}*")]
    size = sum(each.stat().st_size for each in files)
    command, shows = "strongroom purge DOCUMENT", "a receipt with what was searched, and that nothing was found"
    if size > most or shutil.disk_usage(aside).free < 3 * size:
        why = "the database is too large to be copied for it" if size > most else "too little space for a copy"
        return Row("purge.copy", PURGED, claim, "unknown", "", why, command, shows)
    copy, state = aside / "copy", aside / "copy-state"
    try:
        copy.mkdir(mode=0o700)
        for each in files:
            shutil.copyfile(each, copy / each.name)  # rights and dates of files a locked process may not set
        vault = Vault.open(copy, passphrase, state=state, accept_older=True)  # no anchor: nothing of ours is touched
        try:
            with vault.read() as db:
                chosen: Any = db.execute("SELECT id FROM document ORDER BY characters LIMIT 1").get
            if chosen is None:
                return Row("purge.copy", PURGED, claim, "unknown", "", "no document is in it yet", command, shows)
            receipt = purge.purge(vault, [str(chosen)], keyword.remove, index_holds=keyword.held)
        finally:
            vault.close()
    finally:
        shutil.rmtree(copy, ignore_errors=True)
        shutil.rmtree(state, ignore_errors=True)
    found = sum(each.found for each in receipt.checks)
    return Row(
        "purge.copy", PURGED, claim, judged(receipt.confirmed),
        f"purged its shortest document, then searched in {len(receipt.checks)} ways, every decrypted page among them",
        f"found {found} times" if found else "found nowhere", command, shows,
    )  # fmt: skip


# --- what is kept of it ----------------------------------------------------------------------------------------------


def keep(vault: Vault, report: Mapping[str, Any]) -> None:
    """Remember, in the vault, what came out and when: of each who tries (`by`), the last."""
    reports = [report, *(each for each in kept(vault) if each["by"] != report["by"])][:_MOST_KEPT]
    text = json.dumps(reports)
    if len(text) > _MOST_KEPT_BYTES:
        raise StrongroomError(f"what came out is too long to be kept: {len(text):,} bytes")
    with vault.write() as db:
        db.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?,?)", (_KEY, text))


def kept(vault: Vault) -> list[dict[str, Any]]:
    """The last reports, newest first; rows that another version told in another form are left out."""
    with vault.read() as db:
        row: Any = db.execute("SELECT value FROM meta WHERE key = ?", (_KEY,)).fetchone()
    reports: list[dict[str, Any]] = json.loads(row[0]) if row else []
    return [{**each, "rows": [row.to_json() for row in from_json(each["rows"])]} for each in reports]
