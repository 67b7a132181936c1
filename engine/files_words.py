"""What can be said of a file that cannot be had: a word or an errno from inside a sandbox in, a title and a text for people out."""

import errno
import os
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from engine.errors import Refused
from engine.files_inside import DOWNLOAD_MAX, EDIT_MAX
from engine.runtime.spec import format_size

UPLOAD_MAX = 64 << 20  # bytes

# word -> (HTTP status, title, text)
WORDS = {
    "not-a-file": (409, _("This is not a file"), _("It is a folder, a device, a socket or a pipe. Use the terminal.")),
    "is-folder": (409, _("There is a folder of that name"), _("Choose another name, or rename the folder first.")),
    "too-large-to-edit": (
        413,
        _("This file is too large to edit here"),
        _("It has {size}; the editor takes {edit} at most. Use nano or vim in the terminal, or download it."),
    ),
    "too-large-to-upload": (
        413,
        _("This file is too large to upload"),
        _("It has {size}; an upload takes {upload} at most. Fetch it from the terminal instead, with curl for example."),
    ),
    "too-large-to-download": (
        413,
        _("This file is too large to download"),
        _("It has {size}; a download takes {download} at most. Split it in the terminal first."),
    ),
    "folder-too-large": (
        413,
        _("This folder is too large to download"),
        _("Its files have {size}; a download takes {download} at most. Download its folders one by one."),
    ),
    "too-many-files": (
        413,
        _("This folder has too many files to download"),
        _("Download its folders one by one, or pack it in the terminal."),
    ),
    "too-many-downloads": (429, _("Too many downloads at once"), _("Wait until one has ended, then try again.")),
    "binary": (415, _("This file is not text"), _("It can be downloaded, not edited here.")),
    "not-utf-8": (
        415,
        _("This text is not UTF-8"),
        _("The editor would damage it. Download it, or convert it in the terminal: iconv -f LATIN1 -t UTF-8 OLD > NEW"),
    ),
    "changed": (409, _("The file has changed"), _("Something in the machine wrote it since you opened it.")),
    "gone": (404, _("It is not there any more"), _("It was removed or renamed in the machine. Refresh the list.")),
    "exists": (409, _("That name is taken"), _("There is a file or folder of that name already. Choose another one.")),
    "out-of-step": (409, _("The upload was interrupted"), _("A part of it did not arrive. Upload the file again.")),
    "shrank": (409, _("The file changed while it was read"), _("Try again.")),
    "bad-path": (400, _("That is not a path in this machine"), _("A name has 1 to 255 bytes, no slash, and is not . or ..")),
    "root": (400, _("That cannot be done to the whole machine"), _("Choose something in it.")),
    "busy": (
        429,
        _("The machine has enough to do"),
        _("Its files are being asked for faster than it answers. Wait a moment, then try again."),
    ),
    "silent": (503, _("The machine did not answer"), _("It may be busy or short of memory. Try again in a moment.")),
    "garbled": (
        503,
        _("The machine's files cannot be shown"),
        _("Its python3 did not answer as it should. If you changed it, put it back, or start over. The terminal works on."),
    ),
    "not-running": (409, _("The machine is not running"), _("Start it to see its files.")),
}  # fmt: skip

DISK_FULL = (_("The machine's disk is full"), _("Nothing was changed. Delete what you do not need, then try again."))
NOT_PERMITTED = (_("The machine does not permit that"), _("Not even its root may. Look at it in the terminal: ls -l, lsattr."))
ERRNOS = {
    errno.ENOENT: (404, "gone", *WORDS["gone"][1:]),
    errno.ENOTDIR: (404, "gone", *WORDS["gone"][1:]),
    errno.EEXIST: (409, "exists", *WORDS["exists"][1:]),
    errno.ENOTEMPTY: (
        409,
        "changed",
        _("The folder is still being written to"),
        _("Something in the machine makes files in it. Try again."),
    ),
    errno.EISDIR: (409, "is-folder", *WORDS["is-folder"][1:]),
    errno.ENOSPC: (507, "disk-full", *DISK_FULL),
    errno.EDQUOT: (507, "disk-full", *DISK_FULL),
    errno.EACCES: (403, "no-permission", *NOT_PERMITTED),
    errno.EPERM: (403, "no-permission", *NOT_PERMITTED),
    errno.EROFS: (403, "read-only", _("This part of the machine is read-only"), _("Choose another folder, your home for example.")),
    errno.ENAMETOOLONG: (400, "bad-path", *WORDS["bad-path"][1:]),
    errno.ELOOP: (409, "loop", _("The link leads nowhere"), _("It leads round in a circle. Look at it in the terminal: ls -l")),
    errno.EXDEV: (
        409,
        "other-disk",
        _("It cannot be moved there"),
        _("That is another file system of the machine. Use mv in the terminal."),
    ),
    errno.EBUSY: (
        409,
        "in-use",
        _("It is in use"),
        _("Something in the machine holds it, a mount for example. Free it in the terminal first."),
    ),
    errno.ETXTBSY: (409, "in-use", _("It is running"), _("A program that runs cannot be written. Stop it in the terminal first.")),
    errno.EINVAL: (400, "bad-path", _("That cannot be done"), _("A folder cannot be moved into itself.")),
    errno.ENOMEM: (507, "no-memory", _("The machine is out of memory"), _("Stop something that runs in it, then try again.")),
}  # fmt: skip


class FileRefused(Refused):
    """A file operation that was not done. Its text says why and what to do."""

    def __init__(self, code: str, status: int, title: str, text: str) -> None:
        super().__init__(text)
        self.code, self.http_status, self.title = code, status, title


def refusal(word: str, size: int = 0) -> FileRefused:
    """The refusal of that word; `size` in bytes, where the text names one."""
    status, title, text = WORDS[word]
    most = {"edit": format_size(EDIT_MAX), "upload": format_size(UPLOAD_MAX), "download": format_size(DOWNLOAD_MAX)}
    return FileRefused(word, status, gettext(title), gettext(text).format(size=format_size(size), **most))


def refused_by(answer: dict[str, Any]) -> FileRefused:
    """The refusal an answer from inside stands for, whatever it holds."""
    word, number, size = answer.get("error"), answer.get("errno"), answer.get("size", 0)
    if word == "system" and isinstance(number, int) and 0 < number < 200:
        says = gettext("The machine says: %(words)s.") % {"words": os.strerror(number)}
        status, code, title, text = ERRNOS.get(number, (409, "system", _("That did not work"), says))
        return FileRefused(code, status, gettext(title), gettext(text))
    known = isinstance(word, str) and word in WORDS and isinstance(size, int) and 0 <= size < 1 << 63
    return refusal(word, size) if known and isinstance(word, str) else refusal("garbled")
