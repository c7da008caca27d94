"""What a user can cause, and how it is said."""


class StrongroomError(Exception):
    """Root of every failure that a user can cause and mend.

    The message says what is wrong and names the value; `hint` says what to do about it. Both are lower-case without
    a full stop. `exit_code` is what the `strongroom` command ends with; `code` is the JSON-RPC error code.
    """

    exit_code = 1
    code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class DamagedVaultError(StrongroomError):
    """The vault's files are damaged, were tampered with, or are older than the vault last was."""

    exit_code = 3
    code = 3


class LockedError(StrongroomError):
    """The vault is locked: the passphrase has to be given first."""

    code = 4
