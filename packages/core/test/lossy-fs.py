"""A file system that forgets, as a disk does when the power goes: lossy-fs.py FOLDER MOUNTPOINT

Two pictures are kept of every file and folder: what programs see, and what is on disk. `fsync` and `fdatasync` copy a
file's bytes from the first to the second; `fsync` of a folder copies the names in it. SIGUSR1 is the power cut: what
programs see becomes what is on disk. To make a cut as unkind as a real one, some unsynced sectors do reach the disk
(seeded, so that a run can be repeated), and a file whose name is on disk without its bytes is there and empty.

Files live in memory; FOLDER gets one line in `cuts` for each cut. Needs Debian's fuse3, libfuse2 and python3-fusepy.
"""

import errno
import os
import random
import signal
import stat
import sys
import time

from fusepy import FUSE, FuseOSError, Operations

SECTOR_BYTES = 512


class File:
    def __init__(self, mode):
        self.mode = mode
        self.seen = bytearray()
        self.disk = b""
        self.changed = time.time()

    def cut(self, dice):
        """Some sectors of what was not synced were written before the power went, in no order."""
        kept = bytearray(self.disk)
        grown = len(self.seen) > len(self.disk) and dice.random() < 0.5
        if grown:
            kept.extend(bytes(len(self.seen) - len(self.disk)))
        for at in range(0, len(kept), SECTOR_BYTES):
            if dice.random() < 0.5 and self.seen[at : at + SECTOR_BYTES] != kept[at : at + SECTOR_BYTES]:
                sector = self.seen[at : at + SECTOR_BYTES][: len(kept) - at]
                kept[at : at + len(sector)] = sector
        self.seen = kept
        self.disk = bytes(kept)


class Folder:
    def __init__(self, mode):
        self.mode = mode
        self.seen = {}
        self.disk = {}
        self.changed = time.time()

    def cut(self, dice):
        self.seen = dict(self.disk)
        for each in self.seen.values():
            each.cut(dice)


class LossyFileSystem(Operations):
    def __init__(self, folder):
        self.folder = folder
        self.root = Folder(stat.S_IFDIR | 0o755)
        self.open_files = {}
        self.next_handle = 1
        self.cuts = 0
        signal.signal(signal.SIGUSR1, lambda *_: self.cut())

    def cut(self):
        self.cuts += 1
        self.root.cut(random.Random(self.cuts))
        self.open_files.clear()
        with open(os.path.join(self.folder, "cuts"), "a", encoding="utf8") as log:
            log.write(f"{self.cuts}\n")

    def find(self, path):
        node = self.root
        for name in path.split("/"):
            if not name:
                continue
            if not isinstance(node, Folder) or name not in node.seen:
                raise FuseOSError(errno.ENOENT)
            node = node.seen[name]
        return node

    def parent(self, path):
        head, name = path.rsplit("/", 1)
        return self.find(head), name

    def file(self, handle):
        if handle not in self.open_files:
            raise FuseOSError(errno.EIO)  # Opened before the power cut.
        return self.open_files[handle]

    def handle(self, node):
        self.next_handle += 1
        self.open_files[self.next_handle] = node
        return self.next_handle

    def getattr(self, path, fh=None):
        node = self.find(path)
        size = len(node.seen) if isinstance(node, File) else 0
        times = dict.fromkeys(("st_mtime", "st_atime", "st_ctime"), node.changed)
        return {"st_mode": node.mode, "st_nlink": 1, "st_size": size, **times}

    def readdir(self, path, fh):
        return [".", "..", *self.find(path).seen]

    def mkdir(self, path, mode):
        folder, name = self.parent(path)
        if name in folder.seen:
            raise FuseOSError(errno.EEXIST)
        folder.seen[name] = Folder(stat.S_IFDIR | mode)

    def create(self, path, mode, fi=None):
        folder, name = self.parent(path)
        folder.seen[name] = File(stat.S_IFREG | mode)
        return self.handle(folder.seen[name])

    def open(self, path, flags):
        return self.handle(self.find(path))

    def read(self, path, size, offset, fh):
        return bytes(self.file(fh).seen[offset : offset + size])

    def write(self, path, data, offset, fh):
        node = self.file(fh)
        if len(node.seen) < offset:
            node.seen.extend(bytes(offset - len(node.seen)))
        node.seen[offset : offset + len(data)] = data
        node.changed = time.time()
        return len(data)

    def truncate(self, path, length, fh=None):
        node = self.find(path) if fh is None else self.file(fh)
        del node.seen[length:]
        node.seen.extend(bytes(length - len(node.seen)))

    def fsync(self, path, datasync, fh):
        node = self.file(fh)
        node.disk = bytes(node.seen)

    def fsyncdir(self, path, datasync, fh):
        node = self.find(path)
        node.disk = dict(node.seen)

    def flush(self, path, fh):
        return 0

    def release(self, path, fh):
        self.open_files.pop(fh, None)
        return 0

    def rename(self, old, new):
        source, old_name = self.parent(old)
        target, new_name = self.parent(new)
        if old_name not in source.seen:
            raise FuseOSError(errno.ENOENT)
        target.seen[new_name] = source.seen.pop(old_name)

    def link(self, target, source):
        folder, name = self.parent(target)
        if name in folder.seen:
            raise FuseOSError(errno.EEXIST)
        folder.seen[name] = self.find(source)

    def unlink(self, path):
        folder, name = self.parent(path)
        if name not in folder.seen:
            raise FuseOSError(errno.ENOENT)
        del folder.seen[name]

    def rmdir(self, path):
        folder, name = self.parent(path)
        if self.find(path).seen:
            raise FuseOSError(errno.ENOTEMPTY)
        del folder.seen[name]

    def utimens(self, path, times=None):
        self.find(path).changed = times[1] if times else time.time()

    def chmod(self, path, mode):
        node = self.find(path)
        node.mode = stat.S_IFMT(node.mode) | stat.S_IMODE(mode)

    def chown(self, path, uid, gid):
        return 0

    def statfs(self, path):
        return {"f_bsize": 4096, "f_frsize": 4096, "f_blocks": 2**20, "f_bfree": 2**19, "f_bavail": 2**19, "f_namemax": 255}


if __name__ == "__main__":
    # The kernel must not remember names across a power cut: after a real one it does not either.
    forget = {"entry_timeout": 0, "negative_timeout": 0, "attr_timeout": 0}
    FUSE(LossyFileSystem(sys.argv[1]), sys.argv[2], foreground=True, nothreads=True, direct_io=True, **forget)
