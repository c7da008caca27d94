"""Documents are read onto a disk that is really too small: the work pauses, says so, and goes on when there is room."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.torture import small_disk

HERE = Path(__file__).parent
MOUNTS = ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]


def test_a_disk_that_is_too_small_pauses_the_work_until_it_is_larger(tmp_path):
    command = [sys.executable, "-m", "tests.torture.small_disk", tmp_path / "run"]
    environment = dict(os.environ)
    if subprocess.run(MOUNTS, capture_output=True, check=False).returncode == 0:
        command = ["unshare", "-rm", *command]
    else:  # nobody may mount here: the layer stands in for the disk
        library = tmp_path / "disk.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, HERE / "disk.c", "-ldl", "-lpthread"], check=True)
        environment |= {
            "LD_PRELOAD": str(library),
            "DISK_FOLDER": str(tmp_path / "run" / "vault"),
            "DISK_FULL": str(tmp_path / "full"),
        }
    done = subprocess.run(command, cwd=HERE.parents[1], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    seen = json.loads(done.stdout)
    vault = tmp_path / "run" / "vault"
    assert seen["reason"] == f"paused: the disk of {vault} is full; it goes on by itself when there is room"
    assert seen["answered"] == 1, "what was read is answered from while it pauses"
    # Where the texts still fitted, it is their vectors that did not.
    assert 1 <= seen["documents"][0] <= seen["documents"][1] == small_disk.DOCUMENTS + 1
    assert seen["files"] == {"done": small_disk.DOCUMENTS + 1}
    assert (seen["after"], seen["sound"]) == ("", "ok")
