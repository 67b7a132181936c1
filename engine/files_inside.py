"""The file service as it runs inside a sandbox, as its root: a request on stdin, an answer on stdout, until stdin ends.

It is sent as text to the sandbox's own python3 (3.9 or newer) by `engine.files_link`, so it imports the standard library only, and late
what is slow to import. A message: two lengths (JSON, payload), the JSON, the payload. Paths are bytes, in JSON percent-encoded (RFC 3986).
Nothing here keeps the site safe: whatever it says may be the learner's own words, and `engine.files_link` reads it so.
"""

import contextlib
import errno
import json
import os
import signal
import stat
import struct
import sys
from collections.abc import Callable, Iterator
from typing import IO, Any

LENGTHS = struct.Struct(">II")
EDIT_MAX = 1 << 20  # bytes of a text that may be edited
CHUNK = 256 << 10  # bytes per part of a download
DOWNLOAD_MAX = 1 << 30  # bytes
DOWNLOADS_MAX = 4  # at once
READ_MAX, SHOWN_MAX, NAMES_MAX = 100_000, 2000, 256 << 10  # entries read and shown of one folder; bytes of names shown
TAR_ENTRIES_MAX = 200_000
REQUEST_TIME = 100  # s: then the kernel ends this process
PLAIN = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/"
QUOTED = [chr(byte) if byte in PLAIN else f"%{byte:02X}" for byte in range(256)]
TAKE_DATA = ("write", "put")
FOLDER, FILE, OTHER, BROKEN = "folder", "file", "other", "broken"


class Refusal(Exception):
    """A request that cannot be met, by a word of `engine.files_words`."""

    def __init__(self, word: str, **figures: int) -> None:
        super().__init__(word)
        self.answer = {"error": word, **figures}


def quote(path: bytes) -> str:
    return "".join(map(QUOTED.__getitem__, path))


def unquote(text: str) -> bytes:
    first, *parts = text.encode("ascii").split(b"%")
    return first + b"".join(bytes((int(part[:2], 16),)) + part[2:] for part in parts)


def kind_of(mode: int) -> str:
    return FOLDER if stat.S_ISDIR(mode) else FILE if stat.S_ISREG(mode) else OTHER


def open_file(path: bytes, flags: int) -> int:
    """Open a regular file, following links. What waits or acts when it is opened (FIFO, device) is never opened: O_PATH looks first."""
    seen = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(seen).st_mode):
            raise Refusal("not-a-file")
        return os.open(f"/proc/self/fd/{seen}", flags | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    finally:
        os.close(seen)


def read_all(descriptor: int, most: int) -> bytes:
    """Up to `most` bytes from the start; the size that stat tells is not believed: files of /proc have none."""
    parts, offset = [], 0
    while offset < most and (part := os.pread(descriptor, min(most - offset, CHUNK), offset)):
        parts.append(part)
        offset += len(part)
    return b"".join(parts)


def write_all(descriptor: int, data: bytes, offset: int = 0) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written


def folder(path: str) -> dict[str, Any]:
    """The entries of a folder: folders first, then by name; those beyond SHOWN_MAX are counted only."""
    found: list[tuple[bool, bytes, bytes]] = []
    where = unquote(path)
    with os.scandir(where) as entries:
        for entry in entries:
            is_folder = False
            with contextlib.suppress(OSError):  # a link that leads round in a circle
                is_folder = entry.is_dir()
            found.append((not is_folder, entry.name.lower(), entry.name))
            if len(found) == READ_MAX:
                break
    found.sort()
    shown: list[dict[str, Any]] = []
    names = 0
    for *_, name in found[:SHOWN_MAX]:
        names += len(name)
        if names > NAMES_MAX:
            break
        with contextlib.suppress(OSError):  # removed since it was read
            shown.append(_entry(where, name))
    return {"entries": shown, "total": len(found), "counted": len(found) < READ_MAX}


def _entry(where: bytes, name: bytes) -> dict[str, Any]:
    path = where + b"/" + name
    looked = os.lstat(path)
    kind, link = kind_of(looked.st_mode), stat.S_ISLNK(looked.st_mode)
    if link:
        try:
            looked = os.stat(path)
            kind = kind_of(looked.st_mode)
        except OSError:
            kind = BROKEN
    return {"name": quote(name), "kind": kind, "link": link, "size": looked.st_size, "modified": int(looked.st_mtime)}


def read(path: str) -> tuple[dict[str, Any], bytes]:
    descriptor = open_file(unquote(path), os.O_RDONLY)
    try:
        data = read_all(descriptor, EDIT_MAX + 1)
        size = max(len(data), os.fstat(descriptor).st_size)
    finally:
        os.close(descriptor)
    if len(data) > EDIT_MAX:
        raise Refusal("too-large-to-edit", size=size)
    return {"size": size}, data


def write(path: str, expected: str, data: bytes) -> dict[str, Any]:
    """Write a text. `expected`: the SHA-256 of what the file is to hold now, or `new` (no such file may be there), or `any`."""
    where = unquote(path)
    try:
        if expected == "new":
            return _create(where, data)
        descriptor = open_file(where, os.O_RDWR)
    except FileNotFoundError:
        if expected != "any":
            raise Refusal("gone") from None
        return _create(where, data)
    try:
        if expected != "any" and _digest(read_all(descriptor, EDIT_MAX + 1)) != expected:
            raise Refusal("changed")
        _replace(descriptor, data)
    finally:
        os.close(descriptor)
    return {}


def _digest(data: bytes) -> str:
    import hashlib

    return hashlib.sha256(data).hexdigest()


def _create(path: bytes, data: bytes) -> dict[str, Any]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        write_all(descriptor, data)
    except OSError:
        os.unlink(path)
        raise
    finally:
        os.close(descriptor)
    return {}


def _replace(descriptor: int, data: bytes) -> None:
    """Into the file that is there: its owner, mode and links stay, and a container that has it mounted sees the change.

    The space is taken first, so that a full disk costs nothing of what the file holds.
    """
    before = os.fstat(descriptor).st_size
    if len(data) > before:
        try:
            os.posix_fallocate(descriptor, 0, len(data))
        except OSError:
            os.ftruncate(descriptor, before)
            raise
    write_all(descriptor, data)
    os.ftruncate(descriptor, len(data))


def make_folder(path: str) -> dict[str, Any]:
    os.mkdir(unquote(path), 0o755)
    return {}


def move(path: str, to: str) -> dict[str, Any]:
    source, target = unquote(path), unquote(to)
    os.lstat(source)
    if os.path.lexists(target):
        raise Refusal("exists")
    os.rename(source, target)
    return {}


def delete(path: str) -> dict[str, Any]:
    where = unquote(path)
    if stat.S_ISDIR(os.lstat(where).st_mode):
        import shutil

        refuse_mounts(where)
        shutil.rmtree(where)  # never through a link, also where one is put in its way
    else:
        os.unlink(where)
    return {}


def refuse_mounts(folder: bytes) -> None:
    """A folder with something mounted in it is not deleted: what is mounted, a container's files for example, would go first."""
    real = os.path.join(os.path.realpath(os.path.dirname(folder)), os.path.basename(folder))
    with open("/proc/self/mountinfo", "rb") as mounts:
        for line in mounts:
            point = line.split()[4].replace(b"\\040", b" ").replace(b"\\011", b"\t").replace(b"\\012", b"\n").replace(b"\\134", b"\\")
            if (point + b"/").startswith(real + b"/"):
                raise OSError(errno.EBUSY, "mounted")


class Uploads:
    """Files on their way in: each part is appended to a file beside the target, and the last one puts it in its place."""

    def __init__(self) -> None:
        self.unfinished: set[bytes] = set()

    def put(self, path: str, upload: str, offset: int, total: int, replace: bool, data: bytes) -> dict[str, Any]:
        target = unquote(path)
        part = self.part(target, upload)
        if not replace and os.path.lexists(target):
            raise Refusal("exists")
        if os.path.isdir(target):
            raise Refusal("is-folder")
        flags = os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(part, flags | os.O_CREAT | os.O_EXCL if offset == 0 else flags, 0o644)
        self.unfinished.add(part)
        try:
            if os.fstat(descriptor).st_size != offset:
                raise Refusal("out-of-step")
            write_all(descriptor, data, offset)
            if offset + len(data) == total and os.path.isfile(target):
                os.fchmod(descriptor, stat.S_IMODE(os.stat(target).st_mode))
        except OSError:
            self.cancel(path, upload)  # a full disk is not left fuller
            raise
        finally:
            os.close(descriptor)
        if offset + len(data) == total:
            os.rename(part, target)
            self.unfinished.discard(part)
        return {}

    def cancel(self, path: str, upload: str) -> dict[str, Any]:
        part = self.part(unquote(path), upload)
        self.unfinished.discard(part)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)
        return {}

    def part(self, target: bytes, upload: str) -> bytes:
        return os.path.join(os.path.dirname(target), b".upload-" + upload.encode("ascii"))

    def give_up(self) -> None:
        for part in self.unfinished:
            with contextlib.suppress(OSError):
                os.unlink(part)


class Downloads:
    """Files and folders on their way out, part by part as they are asked for."""

    def __init__(self) -> None:
        self.open_now: dict[int, Iterator[bytes]] = {}
        self.last = 0

    def open(self, path: str) -> dict[str, Any]:
        if len(self.open_now) >= DOWNLOADS_MAX:
            raise Refusal("too-many-downloads")
        where = unquote(path)
        if stat.S_ISDIR(os.stat(where).st_mode):
            measured(where)
            kind, size, parts = "tar", 0, packed(where)
        else:
            descriptor = open_file(where, os.O_RDONLY)
            kind, size = FILE, os.fstat(descriptor).st_size
            if size > DOWNLOAD_MAX:
                os.close(descriptor)
                raise Refusal("too-large-to-download", size=size)
            parts = content(descriptor, size)
        self.last += 1
        self.open_now[self.last] = parts
        return {"download": self.last, "kind": kind, "size": size}

    def next(self, download: int) -> tuple[dict[str, Any], bytes]:
        """The next part; an empty one is the end."""
        parts = self.open_now.pop(download)  # an error is its end, too
        if part := next(parts, b""):
            self.open_now[download] = parts
        return {}, part

    def close(self, download: int) -> dict[str, Any]:
        self.open_now.pop(download, None)
        return {}


def content(descriptor: int, size: int) -> Iterator[bytes]:
    """`size` bytes of a file, what it grows by meanwhile is left out; without a size (files of /proc) all there is."""
    with open(descriptor, "rb", buffering=0) as file:
        left = size or DOWNLOAD_MAX
        while left and (part := file.read(min(left, CHUNK))):
            left -= len(part)
            yield part
        if size and left:
            raise Refusal("shrank")


def walk(top: bytes) -> Iterator[tuple[bytes, os.stat_result]]:
    """Everything in and below a folder on its file system, links not followed. What is removed meanwhile is left out."""
    device = os.stat(top).st_dev
    left = [top]
    while left:
        path = left.pop()
        try:
            looked = os.stat(path) if path == top else os.lstat(path)
            is_folder = stat.S_ISDIR(looked.st_mode)
            if is_folder and looked.st_dev != device:  # of files an overlay tells other devices
                continue
            yield path, looked
            if is_folder:
                with os.scandir(path) as entries:
                    left.extend(entry.path for entry in entries)
        except FileNotFoundError:
            continue


def measured(top: bytes) -> None:
    size = 0
    for count, (_, looked) in enumerate(walk(top)):
        size += looked.st_size if stat.S_ISREG(looked.st_mode) else 0
        if count > TAR_ENTRIES_MAX:
            raise Refusal("too-many-files")
    if size > DOWNLOAD_MAX:
        raise Refusal("folder-too-large", size=size)


def packed(top: bytes) -> Iterator[bytes]:
    """A folder as a tar (pax): folders, files and links, in parts of about CHUNK."""
    gathered = bytearray()
    for part in _packed(top):
        gathered += part
        if len(gathered) >= CHUNK:
            yield bytes(gathered)
            gathered.clear()
    gathered += bytes(10240 - len(gathered) % 10240)  # two empty blocks and more end a tar
    yield bytes(gathered)


def _packed(top: bytes) -> Iterator[bytes]:
    import tarfile

    name = os.path.basename(top) or b"machine"
    left = DOWNLOAD_MAX
    for path, looked in walk(top):
        member = tarfile.TarInfo(os.fsdecode(os.path.join(name, os.path.relpath(path, top)) if path != top else name))
        member.mode, member.mtime, member.uid, member.gid = stat.S_IMODE(looked.st_mode), int(looked.st_mtime), looked.st_uid, looked.st_gid
        if stat.S_ISDIR(looked.st_mode):
            member.type = tarfile.DIRTYPE
        elif stat.S_ISLNK(looked.st_mode):
            member.type, member.linkname = tarfile.SYMTYPE, os.fsdecode(os.readlink(path))
        elif not stat.S_ISREG(looked.st_mode):
            continue
        descriptor = -1
        if member.type == tarfile.REGTYPE:
            descriptor = open_file(path, os.O_RDONLY)
            member.size = os.fstat(descriptor).st_size
            left -= member.size
            if left < 0:
                os.close(descriptor)
                raise Refusal("folder-too-large", size=DOWNLOAD_MAX - left)
        yield member.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
        if member.size:
            yield from content(descriptor, member.size)
            yield bytes(-member.size % 512)
        elif descriptor >= 0:
            os.close(descriptor)


def answer(calls: dict[str, Callable[..., Any]], request: dict[str, Any], payload: bytes) -> tuple[dict[str, Any], bytes]:
    """What a request gives; what cannot be done as a word, what the kernel refuses as its errno."""
    name = request.pop("call")
    try:
        result = calls[name](**request, data=payload) if name in TAKE_DATA else calls[name](**request)
    except Refusal as refusal:
        return refusal.answer, b""
    except OSError as error:
        return {"error": "system", "errno": error.errno or errno.EIO}, b""
    except (RecursionError, MemoryError):
        return {"error": "system", "errno": errno.ENOMEM}, b""
    return result if isinstance(result, tuple) else (result, b"")


def serve(stdin: IO[bytes], stdout: IO[bytes]) -> None:
    uploads, downloads = Uploads(), Downloads()
    calls: dict[str, Callable[..., Any]] = {
        "folder": folder, "read": read, "write": write, "make_folder": make_folder, "move": move, "delete": delete,
        "put": uploads.put, "cancel": uploads.cancel, "open": downloads.open, "next": downloads.next, "close": downloads.close,
    }  # fmt: skip

    def say(message: dict[str, Any], payload: bytes = b"") -> None:
        text = json.dumps(message, separators=(",", ":")).encode()
        stdout.write(LENGTHS.pack(len(text), len(payload)) + text + payload)
        stdout.flush()

    say({"ready": 1})
    try:
        while lengths := stdin.read(LENGTHS.size):
            text_length, payload_length = LENGTHS.unpack(lengths)
            request = json.loads(stdin.read(text_length))
            payload = stdin.read(payload_length)
            signal.alarm(REQUEST_TIME)
            reply = answer(calls, request, payload)
            signal.alarm(0)
            say(*reply)
    finally:
        uploads.give_up()


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
