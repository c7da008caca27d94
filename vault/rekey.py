"""Rekeying: another passphrase, recovery code or keyring secret for the same keys, or all keys anew.

The first three change a slot of the header (vault/keys.py), and an old header that somebody kept still opens with the
old secret. `revoke` is against that: it copies the database to a new key.
"""

from typing import TYPE_CHECKING

from vault import attempts, keys, shred, store
from vault.cutover import switch
from vault.failures import KeyringAloneError
from vault.files import write_atomically
from vault.folder import HEADER_NAME, remove_database
from vault.keys import Header, KdfCost, Keys
from vault.recrypt import Copy
from vault.sought import Sought

if TYPE_CHECKING:
    from vault.vault import Vault


def change_passphrase(vault: "Vault", secret: str, passphrase: str, *, cost: KdfCost | None = None) -> None:
    """Replace the passphrase; `secret` is the present one or the recovery code, which stays as it is."""
    with vault.read():
        opened = _shown(vault, secret)
        _replace_header(vault, keys.with_passphrase(vault.header, opened, passphrase, cost))


def new_recovery_code(vault: "Vault", secret: str) -> str:
    """Replace the recovery code and return the new one; the passphrase stays."""
    with vault.read():
        header, code = keys.with_recovery_code(vault.header, _shown(vault, secret))
        _replace_header(vault, header)
    return code


def keyring_on(vault: "Vault", secret: str) -> str:
    """Add a slot for the system's keyring; return what that is to keep. `secret` is the passphrase or the code."""
    with vault.read():
        header, kept = keys.with_keyring(vault.header, _shown(vault, secret))
        _replace_header(vault, header)
    return kept


def keyring_off(vault: "Vault") -> bool:
    """Remove that slot; return whether there was one. What the keyring keeps opens nothing any more, but an old
    header, in a backup say."""
    with vault.read():
        if not vault.header.has(keys.KEYRING):
            return False
        _replace_header(vault, keys.without_keyring(vault.header, vault.secret_keys))
    return True


def revoke(vault: "Vault", secret: str, passphrase: str, *, cost: KdfCost | None = None) -> str:
    """New passphrase, recovery code, root key and database key; returns the recovery code.

    The database is copied under the new key, so that old secrets with an old header open nothing that is written
    from now on; that shreds what was purged before, too. It takes as much space again as the database while it
    runs; others may use the vault meanwhile. The new header takes effect in one rename: a crash before it leaves
    the vault as it was, one after it as it is to be.
    """
    with vault.copying:
        opened = _shown(vault, secret)
        shred.abandon(vault)
        epoch = vault.header.epoch + 1
        path = vault.folder / store.name(epoch)
        with vault.read() as db:
            covers = shred.newest(db)
            header, fresh, code = keys.renewed(vault.header, opened, passphrase, epoch, cost)
        copy = Copy(vault, path, fresh.database, Sought(vault, vault.sought))
        try:
            while not (copy.step() and _switch(vault, copy, header, fresh)):
                pass
        except BaseException:
            copy.close()
            if vault.header.epoch != epoch:
                remove_database(path)
            raise
        shred.finished(vault, copy, covers)
    return code


def _switch(vault: "Vault", copy: Copy, header: Header, fresh: Keys) -> bool:
    with vault.read():
        revision = vault.header.revision + 1  # perhaps another secret was changed meanwhile
        return switch(vault, copy, keys.with_database(header, fresh, epoch=header.epoch, revision=revision)[0], fresh)


def _shown(vault: "Vault", secret: str) -> Keys:
    """The keys, for somebody who shows anew that they know a secret. Raises KeyringAloneError for the keyring's."""
    if keys.as_keyring(secret):
        raise KeyringAloneError("cannot change what opens the vault")
    return attempts.unlock(vault.header, secret, vault.state)


def _replace_header(vault: "Vault", header: Header) -> None:
    write_atomically(vault.folder / HEADER_NAME, header.to_bytes())
    vault.go_over(header, vault.secret_keys)
    vault.anchor()
