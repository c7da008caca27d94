"""A vault to try things on, and children to crash."""

import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from vault.keys import FLOOR
from vault.vault import Vault

PASSPHRASE = "correct horse battery"


@dataclass
class Place:
    """Where a vault lies, and how to open it."""

    folder: Path
    state: Path
    code: str

    def open(self, secret: str = "", **options) -> Vault:
        """With the recovery code, which costs no derivation, unless a secret is given."""
        return Vault.open(self.folder, secret or self.code, state=self.state, **options)

    def settings(self, secret: str = "", **options) -> dict[str, str]:
        vault = self.open(secret, **options)
        try:
            with vault.read() as db:
                return dict(db.execute("SELECT key, value FROM setting").fetchall())
        finally:
            vault.close()

    def kept(self) -> dict[Path, bytes]:
        """Every file of the vault and of the state folder, as it is now."""
        found = (path for root in (self.folder, self.state) for path in root.rglob("*") if path.is_file())
        return {path: path.read_bytes() for path in found}

    def put_back(self, kept: dict[Path, bytes]) -> None:
        """Make these the files that there are."""
        for path in self.kept():
            path.unlink()
        for path, data in kept.items():
            path.write_bytes(data)

    def put(self, vault: Vault, key: str, value: str) -> None:
        with vault.write() as db:
            db.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (key, value))


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Place:
    """A vault that was made once, at the lowest cost that a header may ask for."""
    root = tmp_path_factory.mktemp("made")
    vault, code = Vault.create(root / "vault", PASSPHRASE, state=root / "state", cost=FLOOR)
    vault.close()
    return Place(root / "vault", root / "state", code)


@pytest.fixture
def place(made, tmp_path) -> Place:
    """A new vault, closed."""
    shutil.copytree(made.folder, tmp_path / "vault")
    shutil.copytree(made.state, tmp_path / "state")
    return Place(tmp_path / "vault", tmp_path / "state", made.code)


@pytest.fixture
def passphrase() -> str:
    return PASSPHRASE


def _in_child(action: Callable[[], object], *, uid: int | None = None) -> int:
    """Run in a forked child; returns its exit status, or minus the signal that killed it."""
    pid = os.fork()
    if pid == 0:
        status = 70
        try:
            if uid is not None:
                os.setgroups([])
                os.setresgid(uid, uid, uid)
                os.setresuid(uid, uid, uid)
            status = int(action() or 0)
        except BaseException:  # noqa: BLE001  (the parent sees the status, the reader the traceback)
            traceback.print_exc(file=sys.__stderr__)
        finally:
            os._exit(status)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


@pytest.fixture
def in_child():
    return _in_child


@pytest.fixture
def die():
    """Kill -9 of the calling process."""
    return lambda *_: os.kill(os.getpid(), signal.SIGKILL)
