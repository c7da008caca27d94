"""Which database is the newest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.anchor import Anchor, State, check
from vault.failures import ForkedVaultError, OlderVaultError, UnanchoredVaultError

KEY = bytes(range(32))
ID = bytes(range(16))


def at(generation: int, *, revision: int = 0, branch: int = 0) -> State:
    """The state of one history; `branch` is another history that parted from it before."""
    tip, previous = (bytes([g % 256, branch]) * 8 for g in (generation, generation - 1))
    return State(generation, revision, tip, previous, 1_700_000_000.0 + generation)


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.binary(min_size=16, max_size=16), st.floats())
def test_a_state_reads_back_as_it_was(generation, revision, tip, time):
    state = State(generation, revision, tip, tip[::-1], time)
    assert State.from_bytes(state.to_bytes()).to_bytes() == state.to_bytes()
    assert len(state.to_bytes()) == 56


@pytest.mark.parametrize(
    ("database", "beside", "apart"),
    [
        (at(5), at(5), at(5)),
        (at(5), at(5), None),  # first opening on this machine
        (at(5), at(5), at(2)),  # it was used on another machine meanwhile
        (at(5), at(4), at(4)),  # a crash between commit and anchor
        (at(5), at(5), at(4)),  # a crash between the two copies
        (at(5), at(4), at(5)),
        (at(5), None, at(5)),  # the one beside was lost
        (at(5), at(4), None),
    ],
)
def test_what_honest_use_and_crashes_leave_is_accepted(database, beside, apart):
    check(database, 0, beside, apart)


@pytest.mark.parametrize(
    ("database", "beside", "apart", "error"),
    [
        (at(4), at(5), at(5), OlderVaultError),
        (at(4), at(4), at(5), OlderVaultError),  # the whole folder was put back
        (at(4), at(5), None, OlderVaultError),
        (at(5, branch=1), at(5), at(5), ForkedVaultError),
        (at(6, branch=1), at(5), at(5), ForkedVaultError),  # ahead by one, but not grown from what is known
        (at(5), at(5), at(5, branch=1), ForkedVaultError),
        (at(5, branch=1), at(5), at(5, branch=1), ForkedVaultError),
        (at(7), at(5), at(5), UnanchoredVaultError),
        (at(7), None, at(5), UnanchoredVaultError),
        (at(7), None, None, UnanchoredVaultError),
    ],
)
def test_what_does_not_belong_together_is_refused(database, beside, apart, error):
    with pytest.raises(error) as raised:
        check(database, 0, beside, apart)
    assert raised.value.exit_code == 3
    assert "--accept-older" in raised.value.hint


def test_an_older_header_is_refused_and_one_that_a_crash_left_unrecorded_is_not():
    check(at(5), 3, at(5, revision=2), at(5, revision=2))
    with pytest.raises(OlderVaultError, match="header"):
        check(at(5), 2, at(5, revision=3), at(5, revision=2))
    with pytest.raises(OlderVaultError, match="header"):
        check(at(5, revision=3), 2, at(5), at(5))


def test_the_message_gives_both_dates_and_how_much_is_missing():
    with pytest.raises(OlderVaultError) as raised:
        check(at(2), 0, at(5), at(5))
    assert raised.value.message.count("2023-11-1") == 2
    assert "3 changes are missing" in raised.value.message


def test_the_file_keeps_the_newest_of_two(tmp_path):
    anchor = Anchor(tmp_path / "anchor", ID, KEY)
    assert anchor.read() is None
    for generation in range(1, 6):
        anchor.write(at(generation))
        assert anchor.read() == at(generation)
    assert anchor.path.stat().st_size == 1024
    assert anchor.path.stat().st_mode & 0o777 == 0o600


def test_a_write_that_was_torn_leaves_the_one_before(tmp_path):
    anchor = Anchor(tmp_path / "anchor", ID, KEY)
    anchor.write(at(1))
    for generation in range(2, 5):
        anchor.write(at(generation))
        whole = anchor.path.read_bytes()
        start = generation % 2 * 512
        anchor.path.write_bytes(whole[: start + 70] + bytes(442) + whole[start + 512 :])
        assert anchor.read() == at(generation - 1)
        anchor.path.write_bytes(whole)


def test_no_flipped_bit_makes_another_state(tmp_path):
    anchor = Anchor(tmp_path / "anchor", ID, KEY)
    anchor.write(at(7))
    anchor.write(at(8))
    whole = anchor.path.read_bytes()
    for bit in range(0, len(whole) * 8, 5):  # every byte, and every bit of one
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        anchor.path.write_bytes(changed)
        assert anchor.read() == (at(8) if bit // 8 >= 512 else at(7))


@pytest.mark.parametrize("data", [b"", b"short", bytes(1024), b"stranchr" + bytes(1016)])
def test_a_file_without_a_whole_record_is_refused(tmp_path, data):
    anchor = Anchor(tmp_path / "anchor", ID, KEY)
    anchor.path.write_bytes(data)
    with pytest.raises(UnanchoredVaultError, match="anchor is damaged"):
        anchor.read()


def test_an_anchor_of_another_vault_or_under_another_key_is_refused(tmp_path):
    Anchor(tmp_path / "anchor", ID, KEY).write(at(1))
    for other in (Anchor(tmp_path / "anchor", bytes(16), KEY), Anchor(tmp_path / "anchor", ID, bytes(32))):
        with pytest.raises(UnanchoredVaultError):
            other.read()


def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "target").write_bytes(b"mine")
    (tmp_path / "anchor").symlink_to(tmp_path / "target")
    with pytest.raises(OSError, match="symbolic link"):
        Anchor(tmp_path / "anchor", ID, KEY).write(at(1))
    assert (tmp_path / "target").read_bytes() == b"mine"
