"""Vaults that are made, copied, restored, brought up to a new format and destroyed, and crashed meanwhile; and what must
hold then."""

import os

from tests.torture.afterwards import Known, Place, WrongError, look, nothing_readable, secret_of
from tests.torture.changing import PASSPHRASE, fill, identity, make_vault, one_more, said, without_index
from vault import backup, documents, folder, keys, purge, schema, store
from vault.errors import StrongroomError
from vault.failures import NoVaultError
from vault.files import make_private_folder
from vault.vault import HEADER_NAME, Vault


def do_backup(place: Place) -> None:
    vault = place.open()
    one_more(place, vault)
    backup.backup(vault, place.root / "backups" / "mine")
    place.mark("saved")
    vault.close()


def check_backup(place: Place, told: Known) -> str:
    there = (place.root / "backups" / "mine").exists()
    if said(told, "saved") and not there:
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
    purge.purge(vault, [identity("six")], without_index)
    vault.close()


def do_restore(place: Place) -> None:
    """Beside the vault, into a new folder: the same vault once more."""
    restored = backup.restore(
        place.root / "saved", place.root / "again", place.code, place.state, remove_from_index=without_index
    )
    place.vault = restored.vault
    place.mark("restored")
    one_more(place, restored.vault)
    restored.vault.close()


def do_restore_over(place: Place) -> None:
    restored = backup.restore(
        place.root / "saved", place.folder, place.code, place.state, remove_from_index=without_index, replace=True
    )
    place.vault = restored.vault
    place.mark("restored")
    one_more(place, restored.vault)
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
    if said(told, "restored") and not there:
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
    if said(told, "restored") and found == before:
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
    if said(told, "one more") and settings != "after":
        raise WrongError("what was written after restoring is missing")
    if said(told, "restored") and count != 5:
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
    shelves, documents.SHELVES = documents.SHELVES, documents.SHELVES[:1]  # the other came with a later version
    db.execute("BEGIN")
    fill(db)
    db.execute("COMMIT")
    documents.SHELVES = shelves
    db.close()


def do_migrate(place: Place) -> None:
    vault = place.open()
    place.mark("migrated")
    one_more(place, vault)
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
        if said(told, "one more") and not after:
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
    one_more(place, vault)
    vault.close()


def check_create(place: Place, told: Known) -> str:
    try:
        vault = Vault.open(place.folder, PASSPHRASE, state=place.state)
    except NoVaultError:
        if said(told, "created"):
            raise WrongError("the vault was acknowledged and is not there") from None
        vault, _ = Vault.create(place.folder, PASSPHRASE, state=place.state, cost=keys.FLOOR)
        vault.close()
        return "none, and made then"
    except StrongroomError as error:
        raise WrongError(f"it does not open: {error.message}") from error
    with vault.read() as db:
        after = db.execute("SELECT count(*) FROM setting").get
    vault.close()
    if said(told, "one more") and not after:
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
    if said(told, "destroyed") and (found != "nothing opens it" or any(place.folder.glob("*"))):
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
