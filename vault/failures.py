"""One class for each way in which using a vault can fail, with its wording."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import apsw

from vault.errors import DamagedVaultError, LockedError, StrongroomError


class NoVaultError(StrongroomError):
    """There is nothing at the path, or a folder without any of a vault's files."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"no vault at {folder}", "`strongroom init` makes one; `--vault DIR` names another folder")


class VaultExistsError(StrongroomError):
    """A new vault needs a folder of its own."""

    def __init__(self, folder: Path, what: str) -> None:
        super().__init__(f"{folder} {what}", "name a folder that does not exist yet, or an empty one")


class SyncedFolderError(StrongroomError):
    """A cloud client copies half-written files, keeps old headers, and puts old databases back."""

    def __init__(self, folder: Path, client: str, marker: Path) -> None:
        super().__init__(
            f"{folder} is synchronised by {client} ({marker})",
            "keep the vault in a folder that stays on this machine, and put backups there instead",
        )


class OpenElsewhereError(StrongroomError):
    """Another process holds the vault: there is one writer, and it keeps the file to itself."""

    def __init__(self, folder: Path, pid: int | None) -> None:
        holder = f"process {pid}" if pid else "another process"
        super().__init__(f"the vault at {folder} is open in {holder}", "`strongroom lock` ends the one that holds it")


class WrongPassphraseError(StrongroomError):
    """No slot opens with what was given. A forged slot looks the same, because both fail the same check."""

    def __init__(self) -> None:
        super().__init__("the passphrase is wrong", "try again, or give the recovery code instead of the passphrase")


class WrongRecoveryCodeError(StrongroomError):
    """The code is well formed, but it is not (or no longer) this vault's."""

    def __init__(self) -> None:
        super().__init__(
            "this recovery code does not open this vault",
            "it belongs to another vault, or a newer code or `passwd --revoke` has replaced it",
        )


class WrongKeyringSecretError(StrongroomError):
    """The system's keyring keeps a secret, but no slot of this header opens with it."""

    def __init__(self) -> None:
        super().__init__(
            "what the system's keyring keeps does not open this vault",
            "give the passphrase; `strongroom keyring on` puts a new secret there, `strongroom keyring off` removes it",
        )


class KeyringAloneError(StrongroomError):
    """The system's keyring opens the vault at login, and nothing more."""

    def __init__(self, what: str) -> None:
        super().__init__(f"the system's keyring {what}", "give the passphrase or the recovery code")


class RecoveryCodeTypingError(StrongroomError):
    """The code's own checksums say that it was not typed as it was shown."""

    def __init__(self, what: str) -> None:
        super().__init__(f"the recovery code was mistyped: {what}", "compare it with what was written down")


class WeakPassphraseError(StrongroomError):
    """A passphrase that cannot be accepted for a new vault or slot."""

    def __init__(self, what: str) -> None:
        super().__init__(f"the passphrase {what}", "use several words that only you would put together")


class TooManyAttemptsError(StrongroomError):
    """Wrong passphrases came too fast."""

    def __init__(self, attempts: int, wait_seconds: float) -> None:
        super().__init__(
            f"{attempts} wrong passphrases in a row: wait {math.ceil(wait_seconds)} s before the next",
            "the recovery code opens the vault too",
        )


class OlderVaultError(DamagedVaultError):
    """The database (or its header) is older than the anchor: an earlier copy was put back, or its log was cut."""

    def __init__(self, what: str, found: float | None, known: float | None, *, lost: int) -> None:
        super().__init__(
            f"the {what} is from {moment(found)}, but it was last written {moment(known)}: "
            f"{lost} {'change is' if lost == 1 else 'changes are'} missing",
            "put the newest files back; for a backup use `strongroom restore`; `--accept-older` goes on without",
        )
        self.found = found
        self.known = known


class ForkedVaultError(DamagedVaultError):
    """Same age, other content: two copies of one vault were both written to."""

    def __init__(self, at: float | None) -> None:
        super().__init__(
            f"this is another copy of the vault than the one last used here ({moment(at)}): both were written to",
            "use one copy only; `--accept-older` goes on with this one",
        )


class UnanchoredVaultError(DamagedVaultError):
    """What tells an old database from the newest is missing or damaged."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"cannot tell whether the vault is the newest: {what}",
            "put the anchor back beside the database; `--accept-older` goes on with the database as it is",
        )


class OldPagesError(DamagedVaultError):
    """The database is of the right age, but some of its pages are not those that it was closed with."""

    def __init__(self, database: Path, closed: float | None) -> None:
        super().__init__(
            f"parts of the database {database} are not as they were when it was closed (last change {moment(closed)}): "
            "old pages were put back into it, or it was damaged",
            "restore a backup with `strongroom restore`; `--accept-older` goes on with the database as it is",
        )


class NewerVaultError(StrongroomError):
    """A later Strongroom wrote this vault."""

    def __init__(self, what: str, found: int, known: int) -> None:
        super().__init__(
            f"the vault's {what} is version {found}, this Strongroom knows up to {known}",
            "use the newer Strongroom that wrote it",
        )


class VaultFullError(StrongroomError):
    """No space left. What was acknowledged is kept, the rest was rolled back."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"the disk of {folder} is full: the last change was not kept", "free some space and go on")
        self.folder = folder


class FailingDiskError(StrongroomError):
    """The system reports an I/O error. What was acknowledged is kept; of the change in hand nobody can tell."""

    def __init__(self, path: Path, what: str, error: OSError) -> None:
        super().__init__(
            f"cannot {what} {path}: {(error.strerror or str(error)).lower()}",
            "look whether its disk is failing, and make a backup",
        )


class VaultPermissionError(StrongroomError):
    """The system refuses access to the vault's files."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"no permission to {what} {path}", "the vault has to belong to you (chown, chmod 700)")


class VaultUnusableError(LockedError):
    """The vault was closed, or locked, while someone still wanted something of it."""

    def __init__(self) -> None:
        super().__init__("the vault is locked", "`strongroom unlock` opens it")


class UnknownDocumentError(StrongroomError):
    """No document of this id is in the vault."""

    def __init__(self, document_id: str) -> None:
        super().__init__(f"no document {document_id}", "`strongroom list` shows what there is")


def moment(seconds: float | None) -> str:
    """A time as people read it, in their own zone, to the second."""
    if seconds is None:
        return "an unknown time"
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Turn what SQLite and the system raise into what a user can act on. Programming errors pass through."""
    try:
        yield
    except apsw.FullError as error:
        raise VaultFullError(folder) from error
    except (apsw.CorruptError, apsw.NotADBError) as error:
        raise DamagedVaultError(
            f"the vault at {folder} is damaged: {error}", "restore a backup with `strongroom restore`"
        ) from error
    except apsw.IOError as error:
        raise _from_io_error(folder, error) from error
    except (apsw.ReadOnlyError, apsw.CantOpenError, apsw.PermissionsError) as error:
        raise VaultPermissionError(folder, "write to") from error


_WRITING = (apsw.SQLITE_IOERR_WRITE, apsw.SQLITE_IOERR_FSYNC, apsw.SQLITE_IOERR_TRUNCATE)


def _from_io_error(folder: Path, error: apsw.IOError) -> StrongroomError:
    # A page that fails its authentication is reported as an I/O error or as corruption, depending on who reads it.
    if getattr(error, "extendedresult", 0) in _WRITING:
        return StrongroomError(
            f"writing to the vault at {folder} failed, and the last change was not kept: {error}",
            "look whether the disk is full or failing",
        )
    return DamagedVaultError(f"the vault at {folder} cannot be read: {error}", "check the disk, then restore a backup")
