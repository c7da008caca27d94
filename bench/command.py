"""Running `strongroom` as its user does, on a throwaway vault."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Shell:
    """An environment in which the command finds a vault of its own."""

    folder: Path
    environment: dict[str, str]

    def run(self, *words: str) -> str:
        """What the command prints; raises where it fails."""
        return subprocess.run(
            [*STRONGROOM, *words], env=self.environment, stdout=subprocess.PIPE, text=True, check=True
        ).stdout

    def run_even_if_some_failed(self, *words: str) -> None:
        """The same where exit code 4, some files failed, is expected."""
        done = subprocess.run([*STRONGROOM, *words], env=self.environment, stdout=subprocess.DEVNULL, check=False)
        if done.returncode not in (0, 4):
            raise subprocess.CalledProcessError(done.returncode, words)

    def json(self, *words: str) -> Any:
        """The same for a command that prints JSON."""
        return json.loads(self.run(*words, "--json"))


STRONGROOM = [sys.executable, "-m", "ui.command"]


@contextmanager
def throwaway() -> Iterator[Shell]:
    """A vault that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="strongroom-bench-") as name:
        folder = Path(name)
        secret = folder / "passphrase"
        secret.write_text("a passphrase for measuring\n")
        secret.chmod(0o600)
        shell = Shell(
            folder,
            {
                **{k: v for k, v in os.environ.items() if k != "CI"},
                "STRONGROOM_VAULT": str(folder / "vault"),
                "STRONGROOM_PASSPHRASE_FILE": str(secret),
                "XDG_STATE_HOME": str(folder / "state"),
                "XDG_RUNTIME_DIR": str(folder),
            },
        )
        shell.run("init")
        yield shell
