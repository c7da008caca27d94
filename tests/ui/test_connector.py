"""Where vectors go to a server, the privacy screen says so, and shows the process that has the connection."""

import re
import subprocess
import time
from pathlib import Path

import pytest
from playwright.sync_api import expect

from engine import server_address
from engine.server_address import Address
from tests.engine.chroma_like import answering

_CHOSEN = """
import functools
from pathlib import Path
from engine import launcher
launcher.launch = functools.partial(launcher.launch, config_folder=Path({!r}))
"""


@pytest.fixture
def chosen(launch, tmp_path):
    """Strongroom with a server that takes vectors, and the address that its user chose."""
    with answering() as server:
        config = tmp_path / "config"
        (tmp_path / "vault").mkdir()
        server_address.write(config, tmp_path / "vault", Address("http", "127.0.0.1", server.server_port))
        with launch(tmp_path, _CHOSEN.format(str(config))) as running:
            yield running, server


def test_the_connector_is_shown_locked_and_connected_with_that_server_alone(chosen, watch):
    running, server = chosen
    with watch() as seen:
        running.call("create", passphrase="seven copper kettles whistle")
        seen.page.goto(running.another_url())
        seen.page.get_by_role("link", name="Privacy").click()
        card = seen.page.get_by_test_id("process-connector")
        expect(card).to_contain_text("locked")
        expect(seen.page.get_by_text(f"go to http://127.0.0.1:{server.server_port}, as you chose")).to_be_visible()
        expect(seen.page.get_by_test_id("privacy-facts")).to_contain_text("4 of 4")
        pid = int(re.search(r"process (\d+)", card.inner_text())[1])
        assert "Seccomp:\t2" in Path(f"/proc/{pid}/status").read_text()
        card.get_by_text("See it from outside").click()
        [command] = [each for each in card.locator("code").all_inner_texts() if "lsof" in each]
        lines = subprocess.run(
            ["/bin/sh", "-c", command.replace("sudo ", "")], capture_output=True, text=True, check=False
        ).stdout.splitlines()
        assert [each for each in lines if f"->127.0.0.1:{server.server_port}" in each] == lines[1:]
        assert len(lines) == 2, lines
        before = re.search(r"checked (\S+)", card.inner_text())[1]
        time.sleep(1.1)  # a check is dated to the second
        seen.page.get_by_role("button", name="Check again now").click()
        expect(card).not_to_contain_text(f"checked {before}")
        expect(card).to_contain_text("locked")
        assert seen.elsewhere(running.host) == []
