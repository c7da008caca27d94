"""The operations that are crashed: how the disk is before, what is done, and what must be there afterwards.

Everything lies below one root: `vault`, `state`, and what an operation makes besides. The documents lie outside of it:
they are the user's and never written.
"""

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.torture import reading
from tests.torture.afterwards import CANARY, Known, Place, WrongError, look, nothing_readable, secret_of
from vault import backup, documents, folder, keys, purge, purge_list, schema, shred, store
from vault.errors import StrongroomError
from vault.failures import NoVaultError
from vault.files import make_private_folder
from vault.records import Chunk, Document
from vault.vault import HEADER_NAME, Vault

PASSPHRASE, NEW_PASSPHRASE = "correct horse battery", "another passphrase"
_SENTENCE = f"the tenant shall pay {{0}} doubloons to the harbourmaster of {CANARY} before {{0}} o'clock "


def make_vault(place: Place, cost: keys.KdfCost = keys.FLOOR) -> None:
    """A vault with six documents."""
    vault, place.code = Vault.create(place.folder, PASSPHRASE, state=place.state, cost=cost)
    with vault.write() as db:
        _fill(db)
    vault.close()


def _fill(db: Any) -> None:
    db.execute("INSERT INTO folder VALUES (1, x'2f6e', '/n', 0, 1, 'watched', '', 0, 0)")
    for word in ("one", "two", "three", "four", "five", "six"):
        _add(db, word)


def _identity(word: str) -> str:
    return hashlib.sha256(word.encode()).hexdigest()


def _add(db: Any, word: str) -> None:
    text = _SENTENCE.format(word) * 60
    db.execute(
        "INSERT INTO file (folder, path, shown, size, mtime_ns, inode, state, changed) VALUES (1,?,?,1,1,1,'done',0)",
        (word.encode(), word),
    )
    file = db.last_insert_rowid()
    pieces = [Chunk(at, min(at + 500, len(text))) for at in range(0, len(text), 500)]
    document = Document(id=_identity(word), kind="letter", title=f"about {word}", text=text)
    made = [hashlib.blake2b(f"{word}{at}".encode(), digest_size=16).digest() for at in range(len(pieces))]
    number, ids = documents.add(db, document, prefix=word, chunks=pieces, keys=made)
    db.executemany("INSERT INTO vector VALUES (?, ?)", ((each, os.urandom(768)) for each in ids))
    documents.place(db, file, "", number, None)


def _without_index(db: Any, chunks: list[int]) -> None:
    """There is no keyword index in this vault."""


def _said(told: Known, word: str) -> bool:
    return any(each == word or each.startswith(word + " ") for each in told.said)


def do_settings(place: Place) -> None:
    """Commits, small and large, with the log moved into the database in between and at the end."""
    vault = place.open()
    with vault.read() as db:
        db.pragma("wal_autocheckpoint", 12)
    for number in range(8):
        with vault.write() as db:
            db.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (f"s{number % 3}", "x" * 6000 * (number % 4)))
            if number == 5:
                db.execute("DELETE FROM document WHERE number = 2")
    vault.close()


def do_purge(place: Place) -> None:
    vault = place.open()
    purge.purge(vault, [_identity("three")], _without_index)
    place.mark("purged three")
    purge.purge(vault, [_identity("five")], _without_index)
    place.mark("purged five")
    vault.close()


def check_purge(place: Place, told: Known) -> str:
    promised = [word for word in ("three", "five") if _said(told, f"purged {word}")]
    if promised:  # the list that holds for backups made before: it has to be there now, not only after opening
        header = folder.read_header(place.folder)
        opened = keys.unlock_with_code(header, keys.as_code(place.code) or b"")
        path = folder.state_folder(place.state, header.vault_id) / purge_list.FILE_NAME
        listed = purge_list.PurgeList(path, header.vault_id, opened.derived("strongroom purge list")).read()
        key = opened.derived("strongroom purge tag")
        for word in promised:
            if listed is None or purge_list.tag(key, _identity(word)) not in listed[1]:
                raise WrongError(f"the purge of {word} was acknowledged and is not on the list of the state folder")
    return look(place, told)


def do_shred(place: Place) -> None:
    vault = place.open()
    purge.purge(vault, [_identity("three")], _without_index)
    place.mark("purged three")
    vault.close()
    vault = place.open()
    shred.begin(vault)
    while not shred.step(vault, pages=8):
        with vault.write() as db:
            db.execute("INSERT OR REPLACE INTO setting VALUES ('meanwhile', ?)", (str(time.time()),))
    place.mark(f"shredded {vault.header.epoch}")
    vault.close()


def check_shred(place: Place, told: Known) -> str:
    found = check_purge(place, told)
    epoch = folder.read_header(place.folder).epoch
    if _said(told, "shredded") and f"shredded {epoch}" not in told.said:
        raise WrongError("shredding was acknowledged and the old key is in use")
    vault = place.open()
    try:
        if shred.pending(vault):  # what was interrupted is taken up again
            shred.run(vault)
            found += ", taken up again"
        if shred.pending(vault) or [p.name for p in place.folder.glob("store-*.db")] != [
            store.name(vault.header.epoch)
        ]:
            raise WrongError("shredding does not come to its end")
        with vault.read() as db:
            if db.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
                raise WrongError("the shredded copy is not sound")
            if _said(told, "purged three") and db.execute("SELECT count(*) FROM document").get != 5:
                raise WrongError("a document is missing, or came back, with shredding")
    finally:
        vault.close()
    return found


def do_passphrase(place: Place) -> None:
    vault = place.open()
    vault.change_passphrase(place.code, NEW_PASSPHRASE, cost=keys.FLOOR)
    place.mark("changed")
    _one_more(place, vault)
    vault.close()


def check_passphrase(place: Place, told: Known) -> str:
    secret = secret_of(place, PASSPHRASE, NEW_PASSPHRASE)
    if _said(told, "changed") and secret == PASSPHRASE:
        raise WrongError("the new passphrase was acknowledged, and the old one opens")
    secret_of(place, place.code)  # the code stays
    return f"{'old' if secret == PASSPHRASE else 'new'} passphrase, {look(place, told, secret)}"


def do_recovery(place: Place) -> None:
    vault = place.open()
    place.mark("code " + vault.new_recovery_code(place.code))
    _one_more(place, vault)
    vault.close()


def check_recovery(place: Place, told: Known) -> str:
    codes = [each.split(" ", 1)[1] for each in told.said if each.startswith("code ")]
    if codes:
        secret_of(place, *codes)
    found = look(place, told, secret_of(place, PASSPHRASE))
    return f"{'new' if codes else 'perhaps the old'} code, {found}"


def do_revoke(place: Place) -> None:
    vault = place.open()
    place.mark("code " + vault.revoke(place.code, NEW_PASSPHRASE, cost=keys.FLOOR))
    _one_more(place, vault)
    vault.close()


def check_revoke(place: Place, told: Known) -> str:
    secret = secret_of(place, PASSPHRASE, NEW_PASSPHRASE)
    codes = [each.split(" ", 1)[1] for each in told.said if each.startswith("code ")]
    if codes and secret == PASSPHRASE:
        raise WrongError("revoking was acknowledged, and the old passphrase opens")
    if codes:
        secret_of(place, *codes)
    return f"{'old' if secret == PASSPHRASE else 'new'} keys, {look(place, told, secret)}"


def _one_more(place: Place, vault: Vault) -> None:
    with vault.write() as db:
        db.execute("INSERT INTO setting VALUES ('after', '1')")
    place.mark("one more")


def do_backup(place: Place) -> None:
    vault = place.open()
    _one_more(place, vault)
    backup.backup(vault, place.root / "backups" / "mine")
    place.mark("saved")
    vault.close()


def check_backup(place: Place, told: Known) -> str:
    there = (place.root / "backups" / "mine").exists()
    if _said(told, "saved") and not there:
        raise WrongError("the backup was acknowledged and is not there")
    if there:
        try:
            backup.verify(place.root / "backups" / "mine", place.code, place.state)
        except StrongroomError as error:
            raise WrongError(f"the backup is there and not whole: {error.message}") from error
    return f"{'a whole' if there else 'no'} backup, {look(place, told)}"


def make_backed_up(place: Place) -> None:
    make_vault(place)
    vault = place.open()
    backup.backup(vault, place.root / "saved")
    with vault.write() as db:
        db.execute("INSERT INTO setting VALUES ('since', '1')")
    purge.purge(vault, [_identity("six")], _without_index)
    vault.close()


def do_restore(place: Place) -> None:
    """Beside the vault, into a new folder: the same vault once more."""
    restored = backup.restore(
        place.root / "saved", place.root / "again", place.code, place.state, remove_from_index=_without_index
    )
    place.vault = restored.vault
    place.mark("restored")
    _one_more(place, restored.vault)
    restored.vault.close()


def do_restore_over(place: Place) -> None:
    restored = backup.restore(
        place.root / "saved", place.folder, place.code, place.state, remove_from_index=_without_index, replace=True
    )
    place.vault = restored.vault
    place.mark("restored")
    _one_more(place, restored.vault)
    restored.vault.close()


def _documents(place: Place) -> tuple[int, dict[str, str]]:
    vault = place.open()
    try:
        with vault.read() as db:
            if db.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
                raise WrongError("the database is not sound")
            count = int(db.execute("SELECT count(*) FROM document").get)
            return count, dict(db.execute("SELECT key, value FROM setting").fetchall())
    finally:
        vault.close()


def check_restore(place: Place, told: Known) -> str:
    again = Place(place.root, place.code)
    target = place.root / "again"
    there = (target / HEADER_NAME).exists()
    if _said(told, "restored") and not there:
        raise WrongError("restoring was acknowledged and there is nothing")
    if target.exists() and not there and any(target.iterdir()):
        raise WrongError("half a vault is there")
    if not there:
        target.exists() and target.rmdir()
        do_restore(again)  # as if nothing had been
    else:
        again.vault = Vault.open(target, place.code, state=place.state)
        _purged_again(again.vault, told)
        again.vault.close()
    nothing_readable(place.root)
    return "restored" if there else "as before, and restored then"


def check_restore_over(place: Place, told: Known) -> str:
    try:
        found = _documents(place)
    except StrongroomError as error:
        raise WrongError(f"it does not open: {error.message}") from error
    before = (5, {"since": "1"})
    if _said(told, "restored") and found == before:
        raise WrongError("restoring was acknowledged and the vault is as before")
    if found != before:
        vault = place.open()
        _purged_again(vault, told)
        vault.close()
    nothing_readable(place.root)
    return "as before" if found == before else "restored"


def _purged_again(vault: Vault, told: Known) -> None:
    with vault.read() as db:
        count, settings = db.execute("SELECT count(*) FROM document").get, db.execute("SELECT key FROM setting").get
        check = db.execute("PRAGMA integrity_check").get
    if check != "ok":
        raise WrongError(f"the restored database is not sound: {check}")
    if _said(told, "one more") and settings != "after":
        raise WrongError("what was written after restoring is missing")
    if _said(told, "restored") and count != 5:
        raise WrongError("a purged document came back with the backup")
    if count not in (5, 6):
        raise WrongError(f"{count} documents were restored")


def make_old(place: Place) -> None:
    """A vault of the first format version, as it was made then."""
    header, opened, place.code = keys.new(os.urandom(16), PASSPHRASE, keys.FLOOR)
    make_private_folder(place.folder)
    newest, schema.MIGRATIONS = schema.MIGRATIONS, schema.MIGRATIONS[:1]
    folder.build(place.folder, header, opened)
    schema.MIGRATIONS = newest
    db = store.open_existing(place.folder / store.name(header.epoch), opened.database)
    db.execute("BEGIN")
    _fill(db)
    db.execute("COMMIT")
    db.close()


def do_migrate(place: Place) -> None:
    vault = place.open()
    place.mark("migrated")
    _one_more(place, vault)
    vault.close()


def check_migrate(place: Place, told: Known) -> str:
    try:
        vault = place.open()
    except StrongroomError as error:
        raise WrongError(f"it does not open: {error.message}") from error
    try:
        with vault.read() as db:
            version, count = db.pragma("user_version"), db.execute("SELECT count(*) FROM document").get
            check = db.execute("PRAGMA integrity_check").get
            after = db.execute("SELECT count(*) FROM setting WHERE key = 'after'").get
        if (version, count, check) != (len(schema.MIGRATIONS), 6, "ok"):
            raise WrongError(f"version {version}, {count} documents, {check}")
        if _said(told, "one more") and not after:
            raise WrongError("the commit after migrating is missing")
    finally:
        vault.close()
    nothing_readable(place.root)
    return "with the commit after it" if after else "migrated"


def make_nothing(place: Place) -> None:
    place.root.mkdir(parents=True, exist_ok=True)


def do_create(place: Place) -> None:
    vault, code = Vault.create(place.folder, PASSPHRASE, state=place.state, cost=keys.FLOOR)
    place.vault = vault
    place.mark("created " + code)
    _one_more(place, vault)
    vault.close()


def check_create(place: Place, told: Known) -> str:
    try:
        vault = Vault.open(place.folder, PASSPHRASE, state=place.state)
    except NoVaultError:
        if _said(told, "created"):
            raise WrongError("the vault was acknowledged and is not there") from None
        vault, _ = Vault.create(place.folder, PASSPHRASE, state=place.state, cost=keys.FLOOR)
        vault.close()
        return "none, and made then"
    except StrongroomError as error:
        raise WrongError(f"it does not open: {error.message}") from error
    with vault.read() as db:
        after = db.execute("SELECT count(*) FROM setting").get
    vault.close()
    if _said(told, "one more") and not after:
        raise WrongError("the first commit is missing")
    for each in told.said:
        if each.startswith("created "):
            secret_of(place, each.split(" ", 1)[1])
    nothing_readable(place.root)
    return "there"


def do_destroy(place: Place) -> None:
    backup.destroy(place.folder, place.state)
    place.mark("destroyed")


def check_destroy(place: Place, told: Known) -> str:
    try:
        found = look(place, told)
    except (NoVaultError, WrongError, StrongroomError):
        found = "nothing opens it"
    if _said(told, "destroyed") and (found != "nothing opens it" or any(place.folder.glob("*"))):
        raise WrongError(f"it was acknowledged as destroyed: {found}, {sorted(place.folder.glob('*'))}")
    if found == "nothing opens it":
        if any(_opens(place, secret) for secret in (PASSPHRASE, place.code)):
            raise WrongError("the keys are there, and the vault does not open")
        nothing_readable(place.root)
        if place.folder.exists() and any(place.folder.glob("*")):
            backup.destroy(place.folder, place.state)  # what is left goes with another try
            if any(place.folder.glob("*")):
                raise WrongError(f"it cannot be removed: {sorted(place.folder.glob('*'))}")
    return found


def _opens(place: Place, secret: str) -> bool:
    try:
        return bool(secret_of(place, secret))
    except (WrongError, StrongroomError):
        return False


def make_read(place: Place) -> None:
    """A vault with the papers in it."""
    make_vault(place)
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
    "create": Driver(make_nothing, do_create, check_create),
    "settings": Driver(make_vault, do_settings),
    "ingest": Driver(make_vault, reading.do_ingest, engine=True),
    "reindex": Driver(make_read, reading.do_reindex, engine=True),
    "remove": Driver(make_read, reading.do_remove, engine=True),
    "purge": Driver(make_vault, do_purge, check_purge),
    "shred": Driver(make_vault, do_shred, check_shred),
    "passphrase": Driver(make_vault, do_passphrase, check_passphrase),
    "recovery": Driver(make_vault, do_recovery, check_recovery),
    "revoke": Driver(make_vault, do_revoke, check_revoke),
    "backup": Driver(make_vault, do_backup, check_backup),
    "restore": Driver(make_backed_up, do_restore, check_restore),
    "restore-over": Driver(make_backed_up, do_restore_over, check_restore_over),
    "destroy": Driver(make_vault, do_destroy, check_destroy),
    "migrate": Driver(make_old, do_migrate, check_migrate),
}
