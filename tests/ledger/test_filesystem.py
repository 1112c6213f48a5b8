"""A ledger lies on a disk of this machine, or it is refused."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from refloop.errors import ConfigError
from refloop.ledger import open_ledger
from refloop.ledger.engine import filesystem
from refloop.ledger.engine.filesystem import REFUSED, file_system_of, refuse_network
from refloop.sync.lock import locked_file

MOUNTS = r"""
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
31 27 0:30 / /srv/people rw,relatime shared:7 master:2 propagate_from:3 - nfs4 server:/srv/people rw,vers=4.2
32 31 8:2 / /srv/people/cron/data rw,relatime - xfs /dev/sdb1 rw
33 27 0:31 / /mnt/our\040share\134x rw - cifs //nas/crm rw
34 27 0:32 / /mnt/ssh rw,nosuid - fuse.sshfs cron.host:/a rw
35 27 0:33 / /mnt/twice rw - nfs server:/a rw
36 27 8:3 / /mnt/twice rw - ext4 /dev/sdc1 rw
37 27 8:4 / /mnt/under rw - ext4 /dev/sdd1 rw
38 37 0:34 / /mnt/under rw - nfs server:/b rw
39 27 8:1 /etc/refloop.db /data/refloop.db rw - btrfs /dev/sda2 rw
40 27 0:35 / /data rw - fuse.gcsfuse bucket rw
41 27 0:36 / /mnt/tab\011end\012 rw - vboxsf share rw
a line that is none
42 27 0:37 / /mnt/short - nfs
43 27 0:38 / /mnt/no_dash rw nfs server:/ rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/lib/refloop/refloop.db", "ext4"),
        ("/srv/people/ann/refloop.db", "nfs4"),
        ("/srv/people", "nfs4"),
        ("/srv/peoples/ann/refloop.db", "ext4"),
        ("/srv/people/cron/data/refloop.db", "xfs"),
        ("/srv/people/cron/database/refloop.db", "nfs4"),
        ("/mnt/our share\\x/refloop.db", "cifs"),
        ("/mnt/our", "ext4"),
        ("/mnt/ssh/a/b/c", "fuse.sshfs"),
        ("/mnt/twice/refloop.db", "ext4"),
        ("/mnt/under/refloop.db", "nfs"),
        ("/data/refloop.db", "btrfs"),
        ("/data/refloop.db-journal", "fuse.gcsfuse"),
        ("/mnt/tab\tend\n/refloop.db", "vboxsf"),
        ("/mnt/short/x", "ext4"),
        ("/mnt/no_dash/x", "ext4"),
        ("/proc/self", "proc"),
    ],
)
def test_the_lowest_mount_point_above_a_path_tells(path: str, kind: str) -> None:
    assert file_system_of(Path(path), MOUNTS) == kind


@pytest.mark.parametrize("mounts", ["", "nonsense\n", "1 2 3\n - \n", "27 1 8:1 / /elsewhere rw - ext4 /dev/sda1 rw"])
def test_where_nothing_is_told_nothing_is_known(mounts: str) -> None:
    assert file_system_of(Path("/srv/people/ann/refloop.db"), mounts) is None


def mounted(monkeypatch: pytest.MonkeyPatch, folder: Path, where: Path, kind: str) -> None:
    text = f"27 1 8:1 / / rw - ext4 /dev/sda1 rw\n31 27 0:30 / {where} rw - {kind} there rw\n"
    (folder / "mountinfo").write_text(text, encoding="utf-8")
    monkeypatch.setattr(filesystem, "MOUNTS", folder / "mountinfo")


@pytest.mark.parametrize("kind", sorted(REFUSED))
def test_a_ledger_on_a_network_is_refused_and_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    share = tmp_path / "share"
    share.mkdir()
    mounted(monkeypatch, tmp_path, share.resolve(), kind)
    path = share / "refloop.db"
    with pytest.raises(ConfigError, match=rf"refloop\.db .*\({kind}\)") as refused:
        open_ledger(path)
    assert REFUSED[kind] in refused.value.message
    assert "Point `ledger:`" in refused.value.remedy
    with pytest.raises(ConfigError), locked_file(path, lambda: datetime.now(UTC)):
        pytest.fail("locked")
    assert list(share.iterdir()) == []


@pytest.mark.parametrize(
    "kind", ["ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "apfs", "9p", "virtiofs", "fuse.unknown"]
)
def test_a_ledger_on_this_machine_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    mounted(monkeypatch, tmp_path, tmp_path.resolve(), kind)
    open_ledger(tmp_path / "refloop.db").close()


def test_a_link_into_a_share_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    share, home = tmp_path / "share", tmp_path / "home"
    share.mkdir()
    home.symlink_to(share)
    mounted(monkeypatch, tmp_path, share.resolve(), "nfs4")
    with pytest.raises(ConfigError, match="nfs4"):
        open_ledger(home / "refloop.db")


def test_a_local_file_that_is_mounted_into_a_share_is_refused_for_its_journal_and_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place_of = tmp_path.resolve()
    text = f"1 1 0:1 / {place_of} rw - nfs4 s:/ rw\n2 1 8:1 /a /{place_of}/refloop.db rw - ext4 /dev/sda1 rw\n"
    (tmp_path / "mountinfo").write_text(text, encoding="utf-8")
    monkeypatch.setattr(filesystem, "MOUNTS", tmp_path / "mountinfo")
    with pytest.raises(ConfigError, match="nfs4"):
        open_ledger(tmp_path / "refloop.db")


def test_a_system_that_does_not_tell_refuses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filesystem, "MOUNTS", tmp_path / "none")
    refuse_network(tmp_path / "refloop.db")


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells")
def test_linux_tells_what_this_very_folder_lies_on(tmp_path: Path) -> None:
    told = filesystem.MOUNTS.read_text(encoding="utf-8")
    assert file_system_of(Path("/proc/self"), told) == "proc"
    assert file_system_of(tmp_path.resolve(), told)
