"""Operations on the vault itself that are crashed: commits, purging, shredding, its secrets; and what must hold then."""

import hashlib
import os
import time
from typing import Any

from tests.torture.afterwards import CANARY, Known, Place, WrongError, look, secret_of
from vault import documents, folder, keys, purge, purge_list, rekey, shred, store
from vault.records import Chunk, Document
from vault.vault import Vault

PASSPHRASE, NEW_PASSPHRASE = "correct horse battery", "another passphrase"
_SENTENCE = f"the tenant shall pay {{0}} doubloons to the harbourmaster of {CANARY} before {{0}} o'clock "


def make_vault(place: Place, cost: keys.KdfCost = keys.FLOOR) -> None:
    """A vault with six documents."""
    vault, place.code = Vault.create(place.folder, PASSPHRASE, state=place.state, cost=cost)
    with vault.write() as db:
        fill(db)
    vault.close()


def fill(db: Any) -> None:
    db.execute("INSERT INTO folder VALUES (1, x'2f6e', '/n', 0, 1, 'watched', '', 0, 0)")
    for word in ("one", "two", "three", "four", "five", "six"):
        _add(db, word)


def identity(word: str) -> str:
    return hashlib.sha256(word.encode()).hexdigest()


def _add(db: Any, word: str) -> None:
    text = _SENTENCE.format(word) * 60
    db.execute(
        "INSERT INTO file (folder, path, shown, size, mtime_ns, inode, state, changed) VALUES (1,?,?,1,1,1,'done',0)",
        (word.encode(), word),
    )
    file = db.last_insert_rowid()
    pieces = [Chunk(at, min(at + 500, len(text))) for at in range(0, len(text), 500)]
    document = Document(id=identity(word), kind="letter", title=f"about {word}", text=text)
    made = [hashlib.blake2b(f"{word}{at}".encode(), digest_size=16).digest() for at in range(len(pieces))]
    number, ids = documents.add(db, document, prefix=word, chunks=pieces, keys=made)
    db.executemany("INSERT INTO vector VALUES (?, ?)", ((each, os.urandom(768)) for each in ids))
    documents.place(db, file, "", number, None)


def without_index(db: Any, chunks: list[int]) -> None:
    """There is no keyword index in this vault."""


def said(told: Known, word: str) -> bool:
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
    purge.purge(vault, [identity("three")], without_index)
    place.mark("purged three")
    purge.purge(vault, [identity("five")], without_index)
    place.mark("purged five")
    vault.close()


def check_purge(place: Place, told: Known) -> str:
    promised = [word for word in ("three", "five") if said(told, f"purged {word}")]
    if promised:  # the list that holds for backups made before: it has to be there now, not only after opening
        header = folder.read_header(place.folder)
        opened = keys.unlock_with_code(header, keys.as_code(place.code) or b"")
        path = folder.state_folder(place.state, header.vault_id) / purge_list.FILE_NAME
        listed = purge_list.PurgeList(path, header.vault_id, opened.derived("strongroom purge list")).read()
        key = opened.derived("strongroom purge tag")
        for word in promised:
            if listed is None or purge_list.tag(key, identity(word)) not in listed[1]:
                raise WrongError(f"the purge of {word} was acknowledged and is not on the list of the state folder")
    return look(place, told)


def do_shred(place: Place) -> None:
    vault = place.open()
    purge.purge(vault, [identity("three")], without_index)
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
    if said(told, "shredded") and f"shredded {epoch}" not in told.said:
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
            if said(told, "purged three") and db.execute("SELECT count(*) FROM document").get != 5:
                raise WrongError("a document is missing, or came back, with shredding")
    finally:
        vault.close()
    return found


def do_passphrase(place: Place) -> None:
    vault = place.open()
    rekey.change_passphrase(vault, place.code, NEW_PASSPHRASE, cost=keys.FLOOR)
    place.mark("changed")
    one_more(place, vault)
    vault.close()


def check_passphrase(place: Place, told: Known) -> str:
    secret = secret_of(place, PASSPHRASE, NEW_PASSPHRASE)
    if said(told, "changed") and secret == PASSPHRASE:
        raise WrongError("the new passphrase was acknowledged, and the old one opens")
    secret_of(place, place.code)  # the code stays
    return f"{'old' if secret == PASSPHRASE else 'new'} passphrase, {look(place, told, secret)}"


def do_recovery(place: Place) -> None:
    vault = place.open()
    place.mark("code " + rekey.new_recovery_code(vault, place.code))
    one_more(place, vault)
    vault.close()


def check_recovery(place: Place, told: Known) -> str:
    codes = [each.split(" ", 1)[1] for each in told.said if each.startswith("code ")]
    if codes:
        secret_of(place, *codes)
    found = look(place, told, secret_of(place, PASSPHRASE))
    return f"{'new' if codes else 'perhaps the old'} code, {found}"


def do_revoke(place: Place) -> None:
    vault = place.open()
    place.mark("code " + rekey.revoke(vault, place.code, NEW_PASSPHRASE, cost=keys.FLOOR))
    one_more(place, vault)
    vault.close()


def check_revoke(place: Place, told: Known) -> str:
    secret = secret_of(place, PASSPHRASE, NEW_PASSPHRASE)
    codes = [each.split(" ", 1)[1] for each in told.said if each.startswith("code ")]
    if codes and secret == PASSPHRASE:
        raise WrongError("revoking was acknowledged, and the old passphrase opens")
    if codes:
        secret_of(place, *codes)
    return f"{'old' if secret == PASSPHRASE else 'new'} keys, {look(place, told, secret)}"


def one_more(place: Place, vault: Vault) -> None:
    with vault.write() as db:
        db.execute("INSERT INTO setting VALUES ('after', '1')")
    place.mark("one more")
