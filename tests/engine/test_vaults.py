"""Names of vaults, and the folders that they may mean."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import vaults
from vault import folder, keys, manifest
from vault.errors import StrongroomError


@pytest.fixture
def here(tmp_path):
    """A vault with another one beside it."""
    for name in ("vault", "Client B"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "header").write_bytes(keys.MAGIC + b"\0")
    return tmp_path / "vault"


def test_what_makes_a_folder_a_vault_is_what_the_vault_says():
    assert (vaults.HEADER, vaults.MAGIC) == (folder.HEADER_NAME, keys.MAGIC)
    assert manifest.FILE_NAME == vaults.BACKUP


def test_the_vaults_beside_are_listed_and_nothing_else_is(here):
    (here.parent / "papers").mkdir()
    (here.parent / "notes").write_text("x")
    (here.parent / "odd\nname").mkdir()
    (here.parent / "odd\nname" / "header").write_bytes(keys.MAGIC)
    (here.parent / "link").symlink_to(here)
    (here.parent / "copy").mkdir()
    (here.parent / "copy" / "header").write_bytes(keys.MAGIC)
    (here.parent / "copy" / "backup").write_text("x")
    assert [each.name for each in vaults.beside(here)] == ["Client B", "vault"]


def test_the_vault_in_use_is_listed_before_it_is_made_and_whatever_its_name(tmp_path):
    assert [each.name for each in vaults.beside(tmp_path / ".odd")] == [".odd"]


def test_a_name_means_the_folder_beside(here):
    assert vaults.sibling(here, " Client B ") == here.parent / "Client B"
    assert vaults.sibling(here, "Müller & Söhne, 2026") == here.parent / "Müller & Söhne, 2026"
    (here.parent / "begun" / ".new").mkdir(parents=True)
    assert vaults.sibling(here, "begun") == here.parent / "begun"


@given(st.text(max_size=70))
def test_no_name_leads_anywhere_else(tmp_path_factory, name):
    root = tmp_path_factory.getbasetemp() / "names"
    try:
        path = vaults.sibling(root / "vault", name)
    except StrongroomError:
        return
    assert path.parent == root
    assert os.path.normpath(path) == str(path)
    assert not path.name.startswith(".")
    assert path.name.isprintable()


@pytest.mark.parametrize("thing", ["file", "link", "folder"])
def test_something_else_under_that_name_is_refused(here, thing):
    other = here.parent / "other"
    match thing:
        case "file":
            other.write_bytes(keys.MAGIC)
        case "link":
            other.symlink_to(here)
        case "folder":
            other.mkdir()
            (other / "papers").mkdir()
    with pytest.raises(vaults.NotAVaultError):
        vaults.sibling(here, "other")
