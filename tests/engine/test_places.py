"""A vault's place: claimed, or refused in words."""

import os

from engine import places
from vault.errors import StrongroomError


def test_a_folder_that_may_not_be_looked_into_is_refused_and_not_a_crash(tmp_path):
    (tmp_path / "other").mkdir(mode=0o000)
    child = os.fork()
    if not child:
        said = 1
        try:
            if os.getuid() == 0:  # who is refused nothing
                os.setgroups([])
                os.setuid(65534)
            places.take_beside(tmp_path / "vault", "other", tmp_path / "state")
        except StrongroomError as error:
            said = 0 if "permission denied" in error.message else 2
        finally:
            os._exit(said)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
