"""A vault's place while a launcher is at it: the claim, and the socket on which its engine listens."""

import contextlib
import socket
from dataclasses import dataclass
from pathlib import Path

from engine import rendezvous, vaults
from vault.errors import StrongroomError


@dataclass(slots=True)
class Place:
    """One vault's folder, and what stands there for its engine."""

    vault: Path
    claim: int
    """descriptor of the claim, which the engine holds too"""
    listener: socket.socket
    held: contextlib.ExitStack
    new: bool
    """the folder was made for it, and goes again if no vault came to be in it"""

    def leave(self) -> None:
        """Let others have this vault."""
        self.held.close()
        if self.new:
            with contextlib.suppress(OSError):  # a vault lies in it now
                self.vault.rmdir()


def take(vault_folder: Path, state_folder: Path, *, new: bool = False) -> Place:
    """Claim a vault and listen for its engine. Raises EngineRunningError."""
    with contextlib.ExitStack() as stack:
        claim = stack.enter_context(rendezvous.claim(vault_folder, state_folder))
        listener = stack.enter_context(rendezvous.listen(vault_folder, state_folder))
        stack.callback(rendezvous.socket_path(vault_folder, state_folder).unlink, missing_ok=True)
        return Place(vault_folder, claim, listener, stack.pop_all(), new)


def take_beside(here: Path, name: str, state_folder: Path) -> Place:
    """Claim the vault that lies beside the one at `here` under a plain name, or could; its folder is made then.

    Raises StrongroomError for a name that means nothing else, and where another launcher has that vault.
    """
    try:
        folder = vaults.sibling(here, name)
        new = not folder.exists()
    except OSError as error:
        raise StrongroomError(f"{name} cannot be looked into: {(error.strerror or str(error)).lower()}") from error
    if folder == here:
        raise StrongroomError(f"{folder.name} is the vault that is here already")
    with contextlib.ExitStack() as on_failure:
        try:
            if new:
                folder.mkdir(mode=0o700)
                on_failure.callback(folder.rmdir)
            place = take(folder, state_folder, new=new)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise StrongroomError(f"{folder} cannot be used: {reason}", "choose another name") from error
        on_failure.pop_all()
    return place
