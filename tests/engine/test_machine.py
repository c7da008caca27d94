"""Whether disk and swap are encrypted, from made-up /proc and /sys, and from those of this machine."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from engine import machine


class Machine:
    """A root folder with the files of /proc and /sys that are looked at."""

    def __init__(self, root: Path):
        self.root = root
        self.mounts: list[str] = []
        for each in ("proc/self", "sys/dev/block", "sys/class/block", "dev/mapper"):
            (root / each).mkdir(parents=True)
        self.swaps()

    def block(self, name, number, *, uuid="", slaves=(), loop="", backing=""):
        folder = self.root / "sys/devices" / name
        (folder / "slaves").mkdir(parents=True)
        for each in slaves:
            (folder / "slaves" / each).symlink_to(self.root / "sys/devices" / each)
        for place, text in (("dm/uuid", uuid), ("loop/backing_file", loop), ("backing_dev", backing)):
            if text:
                (folder / place).parent.mkdir(exist_ok=True)
                (folder / place).write_text(text + "\n")
        (self.root / "sys/dev/block" / number).symlink_to(folder)
        (self.root / "sys/class/block" / name).symlink_to(folder)
        (self.root / "dev" / name).touch()

    def mount(self, point, number, kind="ext4", source="/dev/x", options="rw"):
        self.mounts.append(f"20 1 {number} / {point} rw,relatime shared:1 - {kind} {source} {options}")
        (self.root / "proc/self/mountinfo").write_text("\n".join(self.mounts) + "\n")

    def swaps(self, *rows):
        head = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
        (self.root / "proc/swaps").write_text(head + "".join(f"{name} {kind} 100 0 -2\n" for name, kind in rows))

    def disk(self, path="/home/ada/vault"):
        return machine.disk(Path(path), self.root)

    def swap(self):
        return machine.swap(self.root)


@pytest.fixture
def made(tmp_path):
    return Machine(tmp_path)


def test_a_plain_partition_is_not_encrypted(made):
    made.block("vda1", "254:1")
    made.mount("/", "254:1")
    found = made.disk()
    assert (found.encrypted, found.device) == (False, "/dev/vda1")


def test_a_luks_volume_is(made):
    made.block("vda2", "254:2")
    made.block("dm-0", "253:0", uuid="CRYPT-LUKS2-0123-home", slaves=["vda2"])
    made.mount("/", "254:2")
    made.mount("/home", "253:0")
    assert made.disk().encrypted is True
    assert "LUKS2" in made.disk().why
    assert made.disk("/srv/vault").encrypted is False
    assert made.disk("/homework").encrypted is False  # another folder than /home


def test_lvm_on_luks_is_and_luks_beside_a_plain_disk_is_not(made):
    made.block("sda", "8:0")
    made.block("dm-0", "253:0", uuid="CRYPT-LUKS2-1-a", slaves=["sda"])
    made.block("dm-1", "253:1", uuid="LVM-abc", slaves=["dm-0"])
    made.block("sdb", "8:16")
    made.block("md0", "9:0", slaves=["dm-0", "sdb"])
    made.mount("/", "253:1")
    made.mount("/raid", "9:0")
    assert made.disk().encrypted is True
    found = made.disk("/raid/vault")
    assert found.encrypted is False
    assert "/dev/sdb" in found.why


def test_a_mount_point_with_a_space_and_one_above_another_are_understood(made):
    made.block("vda1", "254:1")
    made.block("dm-0", "253:0", uuid="CRYPT-LUKS2-1-a", slaves=["vda1"])
    made.mount("/", "254:1")
    made.mount("/my\\040disk", "254:1")
    made.mount("/my\\040disk", "253:0")  # over it
    assert made.disk("/my disk/vault").encrypted is True


def test_a_file_system_without_a_disk_of_its_own_number_is_followed_by_its_source(made):
    made.block("dm-3", "253:3", uuid="CRYPT-LUKS1-1-a")
    (made.root / "dev/mapper/home").symlink_to("../dm-3")
    made.mount("/", "0:30", "btrfs", "/dev/mapper/home")
    assert made.disk().encrypted is True


def test_what_cannot_be_told_is_said(made):
    for kind in ("nfs4", "zfs", "overlay"):
        made.mount(f"/{kind}", "0:44", kind, "pool/data")
        assert made.disk(f"/{kind}/vault").encrypted is None, kind
    made.mount("/gone", "7:77")
    assert made.disk("/gone/vault").encrypted is None
    assert machine.disk(Path("/x"), made.root / "nothing").encrypted is None
    made.mount("/tmp", "0:45", "tmpfs", "tmpfs")
    assert made.disk("/tmp/vault").encrypted is True
    made.mount("/crypt", "0:46", "fuse.gocryptfs", "gocryptfs")
    assert made.disk("/crypt/vault").encrypted is True


def test_a_containers_upper_folder_decides(made):
    made.block("dm-0", "253:0", uuid="CRYPT-LUKS2-1-a")
    made.mount("/lower", "253:0")
    made.mount("/", "0:50", "overlay", "overlay", "rw,lowerdir=/l,upperdir=/lower/upper,workdir=/w")
    assert made.disk().encrypted is True


def test_a_ring_of_loop_devices_ends(made):
    made.block("loop0", "7:0", loop="/image")
    made.mount("/", "7:0")
    assert made.disk().encrypted is None


def test_swap_is_looked_at_wherever_it_lies(made):
    assert made.swap().encrypted is True  # there is none
    made.block("zram0", "252:0")
    made.swaps(("/dev/zram0", "partition"))
    assert made.swap().encrypted is True
    made.block("vda3", "254:3")
    made.swaps(("/dev/zram0", "partition"), ("/dev/vda3", "partition"))
    assert made.swap().encrypted is False
    assert "/dev/vda3" in made.swap().why
    made.block("dm-5", "253:5", uuid="CRYPT-PLAIN-swap", slaves=["vda3"])
    made.swaps(("/dev/dm-5", "partition"))
    assert made.swap().encrypted is True
    made.mount("/", "254:3")
    made.swaps(("/swap\\040file", "file"))
    assert made.swap().encrypted is False
    made.swaps(("/dev/unknown", "partition"))
    assert made.swap().encrypted is None
    (made.root / "proc/swaps").unlink()
    assert made.swap().encrypted is None


def test_zram_with_a_disk_behind_it_is_not_taken_for_memory(made):
    made.block("zram0", "252:0", backing="/dev/vda4")
    made.swaps(("/dev/zram0", "partition"))
    assert made.swap().encrypted is None


def test_hibernation_needs_a_place(made):
    (made.root / "sys/power").mkdir()
    (made.root / "sys/power/state").write_text("freeze mem disk\n")
    (made.root / "sys/power/resume").write_text("0:0\n")
    assert not machine.hibernates(made.root)
    (made.root / "sys/power/resume").write_text("254:3\n")
    assert machine.hibernates(made.root)


def test_a_clock_behind_the_newest_part_is_noticed():
    assert machine.clock_is_behind(1_000.0, now=999.0)
    assert not machine.clock_is_behind(1_000.0)


def test_of_this_machine_it_says_what_lsblk_says(tmp_path):
    assert shutil.which("lsblk")
    assert shutil.which("findmnt")
    source = subprocess.run(
        ["findmnt", "-no", "SOURCE", "-T", tmp_path], capture_output=True, text=True, check=True
    ).stdout.strip()
    found = machine.disk(tmp_path)
    if not os.path.exists(source):  # a container's own: nothing to compare with
        assert found.why
        return
    layers = subprocess.run(["lsblk", "-sno", "TYPE", source], capture_output=True, text=True, check=False)
    assert found.encrypted is ("crypt" in layers.stdout.split())
