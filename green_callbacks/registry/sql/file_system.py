"""Which file systems SQLite must not be used on, because several machines may write to them."""

import os
import re
from pathlib import Path
from typing import Final

from green_callbacks.small_files import read_beginning

_MOUNTS: Final = Path("/proc/self/mountinfo")
_MOST_BYTES: Final = 8 << 20
"""Bound for the list of mounts, in bytes. A node with thousands of containers has a list of 1 MB."""
_MOUNT_POINT: Final = 4
"""Place of the mount point in a line (kernel, ``Documentation/filesystems/proc.rst``)."""
_ESCAPED: Final = re.compile(r"\\([0-7]{3})")

_NETWORK: Final = frozenset({
    "9p", "acfs", "afs", "beegfs", "ceph", "cifs", "coda", "drvfs", "fhgfs", "gfs2", "glusterfs", "gpfs", "lustre",
    "ncpfs", "nfs", "nfs4", "nfsd", "ocfs2", "orangefs", "panfs", "prl_fs", "pvfs2", "smb3", "smbfs", "vboxsf",
    "virtiofs", "vmhgfs", "wekafs",
})  # fmt: skip
"""Types of file systems that several machines may share. SQLite's shared memory works on one machine only."""

_LOCAL_FUSE: Final = frozenset({
    "fuse.encfs", "fuse.ext2", "fuse.ext4", "fuse.fuse-overlayfs", "fuse.gocryptfs", "fuse.lxcfs", "fuse.mergerfs",
    "fuse.ntfs", "fuse.ntfs-3g", "fuse.portal", "fuse.unionfs", "fuse.zfs-fuse",
})  # fmt: skip
"""File systems of programs that show local disks. Most others show a network, such as sshfs, s3fs or cephfs."""


def network_file_system(path: Path, mounts: Path = _MOUNTS) -> str:
    """Return the type of the network file system that a file lies on.

    Args:
        path: The file, which need not exist.
        mounts: The list of mounts. Defaults to the list of this process.

    Returns:
        The type, such as ``nfs4``. It is empty for a local file system, and where the system has no list of mounts.

    Example:
        >>> network_file_system(Path("/proc/version"))
        ''
    """
    try:
        lines = os.fsdecode(read_beginning(mounts, _MOST_BYTES)).splitlines()
    except (OSError, ValueError):
        return ""
    place = Path(os.path.realpath(path))
    kind = _kind(place, lines)
    return kind if kind in _NETWORK or (kind.startswith("fuse.") and kind not in _LOCAL_FUSE) else ""


def _kind(place: Path, lines: list[str]) -> str:
    """Return the type of the file system of a path. Of mounts at the same place, the last one covers the others."""
    deepest, kind = -1, ""
    for line in lines:
        front, _, back = line.partition(" - ")
        fields, types = front.split(" "), back.split(" ")
        if len(fields) > _MOUNT_POINT and types[0]:
            mount = Path(_ESCAPED.sub(lambda digits: chr(int(digits[1], 8)), fields[_MOUNT_POINT]))
            if place.is_relative_to(mount) and len(mount.parts) >= deepest:
                deepest, kind = len(mount.parts), types[0]
    return kind
