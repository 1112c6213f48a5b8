"""Where a ledger may lie: on a disk of this machine. Over a network its locks cannot be trusted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from refloop.errors import ConfigError

MOUNTS = Path("/proc/self/mountinfo")
"""What is mounted where, on Linux; elsewhere there is no such file, and nothing is refused."""

_SERVER = "its locks depend on the server and on how it was mounted, and are lost with the connection"
_NO_LOCKS = "it does not lock files for others"
_OBJECTS = "it writes whole files to a service, late, and locks nothing there"
_GUEST = "what this machine locks, its host and other guests do not see"
_CLUSTER = "a machine that loses its session loses its locks without being told"

_KINDS = {
    _SERVER: "nfs nfs4 cifs smb2 smb3 smbfs ncpfs afs coda fuse.smbnetfs",
    _NO_LOCKS: "fuse.sshfs fuse.curlftpfs fuse.davfs davfs davfs2",
    _OBJECTS: "fuse.rclone fuse.s3fs fuse.gcsfuse fuse.goofys fuse.blobfuse fuse.blobfuse2 fuse.mount-s3",
    _GUEST: "vboxsf vmhgfs fuse.vmhgfs-fuse prl_fs drvfs",
    _CLUSTER: "ceph fuse.ceph fuse.ceph-fuse fuse.glusterfs lustre beegfs orangefs",
}
REFUSED: Mapping[str, str] = MappingProxyType(
    {kind: reason for reason, kinds in _KINDS.items() for kind in kinds.split()}
)
"""Types of file systems on which a ledger is not safe, and why."""

_OCTAL = re.compile(r"\\([0-7]{3})")


def file_system_of(path: Path, mounts: str) -> str | None:
    """The type of the file system that an absolute path without links lies on, by the text of /proc/self/mountinfo.

    Of the mount points above the path the lowest counts, of several at the same place the latest. None when no line
    tells. Lines in another form are passed over. The form: proc_pid_mountinfo(5).
    """
    found: tuple[int, str] | None = None
    for line in mounts.splitlines():
        head, dash, tail = line.partition(" - ")
        fields, kind = head.split(" "), tail.partition(" ")[0]
        if not dash or len(fields) < 6 or not kind:
            continue
        depth = _depth_above(path, Path(_unescaped(fields[4])))
        if depth is not None and (found is None or depth >= found[0]):
            found = (depth, kind)
    return found[1] if found else None


def _depth_above(path: Path, mount_point: Path) -> int | None:
    return len(mount_point.parts) if path.is_relative_to(mount_point) else None


def _unescaped(field: str) -> str:
    """The kernel writes blanks, tabs, line ends and backslashes in octal."""
    return _OCTAL.sub(lambda found: chr(int(found[1], 8)), field)


def refuse_network(path: Path) -> None:
    """Raises ConfigError when a ledger at this path, or what has to lie beside it (journal and lock), would be on a
    file system whose locks cannot be trusted. Touches nothing."""
    try:
        mounts = MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return
    place = path.resolve()
    for looked_at in (place, place.parent):
        kind = file_system_of(looked_at, mounts)
        if kind is not None and kind in REFUSED:
            raise ConfigError(
                f"the ledger {path} would lie on a network file system ({kind}): {REFUSED[kind]}; two runs at once "
                "could write, and the ledger be damaged",
                remedy="Point `ledger:` in the configuration at a disk of this machine. Nothing was written.",
            )
