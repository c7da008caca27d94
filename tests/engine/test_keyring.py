"""The system's keyring opens the vault at login, for those who asked for it: with a real bus and a real keyring."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from engine.client import connect
from engine.keyring import Keyring, NoKeyringError
from vault import keys
from vault.errors import LockedError, StrongroomError
from vault.keys import KEYRING
from vault.vault import Vault, read_header

ROOT = Path(__file__).resolve().parents[2]
PASSPHRASE = "seven copper kettles whistle"
ANOTHER = "nine patient herons wait"


@dataclass
class Desktop:
    """Somebody's session: a home, a bus, a keyring that is open, a vault."""

    home: Path
    environment: dict[str, str] = field(default_factory=dict)
    bus: subprocess.Popen[str] | None = None
    keyring: subprocess.Popen[str] | None = None

    @property
    def vault(self) -> Path:
        return self.home / ".local/share/strongroom/vault"

    @property
    def state(self) -> Path:
        return self.home / ".local/state/strongroom"

    def log_in(self, password: str) -> None:
        """Start bus and keyring; the password opens the keyring, and makes it the first time."""
        self.bus = subprocess.Popen(
            ["dbus-daemon", "--session", "--nofork", "--nopidfile", "--print-address=1"],
            env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        self.environment["DBUS_SESSION_BUS_ADDRESS"] = self.bus.stdout.readline().strip()
        self.keyring = subprocess.Popen(
            ["gnome-keyring-daemon", "--unlock", "--foreground", "--components=secrets"],
            env=self.environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        self.keyring.stdin.write(password)
        self.keyring.stdin.close()
        self._until("import secretstorage as s; assert s.check_service_availability(c := s.dbus_init());"
                    " s.get_collection_by_alias(c, 'default')")  # fmt: skip

    def log_out(self) -> None:
        for each in (self.keyring, self.bus):
            if each is not None:
                each.terminate()
                each.wait(30)
        if self.bus is not None:
            self.bus.stdout.close()
        self.bus = self.keyring = None
        self.environment.pop("DBUS_SESSION_BUS_ADDRESS", None)

    def _until(self, program: str) -> None:
        end = time.monotonic() + 300
        while subprocess.run(
            [sys.executable, "-c", program], env=self.environment, stderr=subprocess.DEVNULL, check=False
        ).returncode:
            assert time.monotonic() < end, "the keyring did not come up"

    def python(self, program: str) -> str:
        """What a program prints that runs in this session."""
        return subprocess.run(
            [sys.executable, "-c", program], env=self.environment, check=True, capture_output=True, text=True
        ).stdout.strip()

    def run(self, *words: str, secret: str = PASSPHRASE) -> subprocess.CompletedProcess[str]:
        """A command of Strongroom's, with the passphrase from a file."""
        given = self.home / "given"
        given.write_text(secret)
        given.chmod(0o600)
        return subprocess.run(
            [sys.executable, "-m", "ui.command", *words],
            env=self.environment | {"STRONGROOM_PASSPHRASE_FILE": str(given)}, cwd=self.home,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip

    def kept(self) -> list[str]:
        """What the keyring keeps for Strongroom."""
        return json.loads(self.python(
            "import json, secretstorage as s; print(json.dumps([i.get_secret().decode() for i in"
            " s.search_items(s.dbus_init(), {'application': 'strongroom'})]))"
        ))  # fmt: skip

    def serve(self) -> tuple[subprocess.Popen[str], str]:
        """`strongroom serve` as at login, without a passphrase; and the state that it comes up in."""
        with (self.home / "messages").open("w") as messages:
            process = subprocess.Popen(
                [sys.executable, "-m", "ui.command", "serve"],
                env=self.environment, cwd=self.home, stdout=subprocess.PIPE, stderr=messages, text=True,
            )  # fmt: skip
        line = process.stdout.readline()
        assert re.search("http://", line), (self.home / "messages").read_text()
        return process, self.call("status")["state"]

    def call(self, method: str, **params: object) -> dict:
        with connect(self.vault, self.state) as client:
            return client.call(method, **params)

    def make_vault(self) -> None:
        self.vault.parent.mkdir(parents=True)
        vault, _ = Vault.create(self.vault, PASSPHRASE, state=self.state, cost=keys.FLOOR)
        vault.close()

    def slots(self) -> list[int]:
        return [slot.kind for slot in read_header(self.vault).slots]


@pytest.fixture
def desktop(tmp_path) -> Iterator[Desktop]:
    (tmp_path / "run").mkdir(mode=0o700)
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    made = Desktop(
        tmp_path, kept | {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path / "run"), "PYTHONPATH": str(ROOT)}
    )
    made.make_vault()
    yield made
    made.log_out()


@pytest.fixture
def served(desktop) -> Iterator[list]:
    """Start `serve` with it; ended afterwards."""
    started: list[subprocess.Popen[str]] = []
    yield started
    for each in started:
        end(each)


def end(process) -> None:
    process.send_signal(signal.SIGTERM)
    process.wait(60)
    process.stdout.close()


def test_nothing_is_kept_until_it_is_asked_for_then_login_unlocks_and_a_lock_holds(desktop, served):
    desktop.log_in("the login password")
    process, state = desktop.serve()
    assert state == "locked"
    assert desktop.kept() == []
    assert desktop.slots() == [keys.PASSPHRASE, keys.RECOVERY_CODE]
    end(process)

    done = desktop.run("keyring", "on")
    assert done.returncode == 0, done.stderr
    assert "programs that run as you" in done.stdout
    (secret,) = desktop.kept()
    assert secret not in done.stdout + done.stderr
    assert desktop.slots() == [keys.PASSPHRASE, keys.RECOVERY_CODE, KEYRING]
    assert "opens this vault at login" in desktop.run("keyring").stdout
    for path in [*desktop.vault.rglob("*"), *desktop.state.rglob("*"), *(desktop.home / ".local").rglob("*.keyring")]:
        if path.is_file():
            assert secret.encode() not in path.read_bytes()
            assert bytes.fromhex(secret[-64:]) not in path.read_bytes()

    process, state = desktop.serve()
    served.append(process)
    assert state == "open"
    assert desktop.call("keyring") == {"on": True}

    # What was locked by hand or by itself is not opened by it, with or without the secret.
    desktop.call("lock", mode="page")
    with pytest.raises(StrongroomError, match="does not open what was locked"):
        desktop.call("unlock", passphrase=secret)
    with pytest.raises(LockedError):
        desktop.call("settings.get")
    desktop.call("unlock", passphrase=PASSPHRASE)
    for method, params in (("passwd", {"old": secret, "new": ANOTHER}), ("recovery", {"passphrase": secret}),
                           ("keyring.on", {"passphrase": secret})):  # fmt: skip
        with pytest.raises(StrongroomError, match="cannot change what opens the vault"):
            desktop.call(method, **params)
    assert desktop.run("lock").returncode == 0
    assert desktop.call("status")["state"] == "locked"

    # And it ends with one word, in the header and in the keyring.
    assert desktop.run("unlock").returncode == 0
    done = desktop.run("keyring", "off", "--json")
    assert json.loads(done.stdout) == {"keyring": False}
    assert desktop.kept() == []
    assert KEYRING not in desktop.slots()
    assert desktop.run("lock").returncode == 0
    with pytest.raises(StrongroomError, match="does not open this vault"):
        desktop.call("unlock", passphrase=secret)
    assert desktop.call("status")["state"] == "locked"


def test_it_lasts_over_a_logout_and_a_change_of_passphrase_and_ends_with_a_revoke(desktop):
    desktop.log_in("the login password")
    assert desktop.run("keyring", "on").returncode == 0
    desktop.log_out()
    (desktop.home / "new").write_text(ANOTHER)
    assert desktop.run("passwd", "--new-from", "new").returncode == 0  # without a keyring: it needs none

    process, state = desktop.serve()  # no keyring answers: it starts, locked, and says why
    end(process)
    assert state == "locked"
    assert "no session bus" in (desktop.home / "messages").read_text()

    desktop.log_in("the login password")
    process, state = desktop.serve()
    end(process)
    assert state == "open"

    assert desktop.run("passwd", "--revoke", "--new-from", "new", secret=ANOTHER).returncode == 0
    assert KEYRING not in desktop.slots()
    process, state = desktop.serve()
    end(process)
    assert state == "locked"
    assert desktop.run("keyring", "off", secret=ANOTHER).returncode == 0


def test_a_keyring_that_is_locked_is_not_asked_for_its_password_at_login(desktop):
    desktop.log_in("the login password")
    assert desktop.run("keyring", "on").returncode == 0
    desktop.python("import secretstorage as s; s.get_default_collection(s.dbus_init()).lock()")
    process, state = desktop.serve()
    end(process)
    assert state == "locked"
    assert "the keyring is locked, or keeps no secret" in (desktop.home / "messages").read_text()
    done = desktop.run("keyring", "off")  # the slot goes; what cannot be deleted opens nothing
    assert done.returncode == 0
    assert KEYRING not in desktop.slots()
    assert "is still kept, and opens nothing" in done.stderr


def test_a_wrong_passphrase_and_a_missing_keyring_change_nothing(desktop):
    before = (desktop.vault / "header").read_bytes()
    done = desktop.run("keyring", "on")
    assert done.returncode == 1
    assert "no session bus" in done.stderr
    assert (desktop.vault / "header").read_bytes() == before
    desktop.log_in("the login password")
    assert desktop.run("keyring", "on", secret="not the passphrase").returncode == 1
    assert desktop.kept() == []
    assert (desktop.vault / "header").read_bytes() == before


def test_a_bus_that_does_not_answer_is_not_waited_for_without_end(tmp_path, monkeypatch):
    import socket

    from engine import keyring

    monkeypatch.setattr(keyring, "_ANSWER_SECONDS", 0.5)
    monkeypatch.setattr("secretstorage.dbus_init", lambda: time.sleep(3600))
    with Keyring() as kept, pytest.raises(NoKeyringError, match="did not answer"):
        kept.fetch("aa")
    monkeypatch.undo()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "bus"))
        listener.listen()
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={tmp_path}/bus")
        with Keyring() as kept, pytest.raises(NoKeyringError, match="no session bus"):
            kept.fetch("aa")
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unixexec:path=/bin/sh")
    with Keyring() as kept, pytest.raises(NoKeyringError, match="no session bus"):
        kept.fetch("aa")
