"""How does the desk take a file? Streamed to the disk, after it is known who sends it and that the form is ours.

Promises: nothing of a body is read before it is known who asks and what they may do, and nothing of a file is kept
before its form has proven that we showed it to this session; what is longer than `MOST` is refused before it is read,
where it says so, and else as soon as it is; nothing is ever decompressed; no file has a name on the disk.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Annotated, BinaryIO, Final

from fastapi import Depends, Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from newsletter.web.desk.frame import Desk, NotAllowed, check_form, signed_in
from newsletter.web.desk.trust import REFUSED, came_from_here

MOST: Final = 32 * 1024 * 1024  # bytes of a file
AROUND: Final = 64 * 1024  # bytes of all else in its form
MOST_PARTS: Final = 20
LONGEST_NAME: Final = 100  # characters of a file's name that are kept

TOO_LARGE: Final = (
    f"The file is larger than {MOST // 1024 // 1024} MB, and was not read. Split it, or bring it in with the command, "
    "which takes files of any size."
)
TORN: Final = "The file did not arrive whole. Nothing of it was kept; send it again."
NO_FILE: Final = "Choose a file first."
TOO_MANY: Final = "Choose one file at a time."


@dataclass(frozen=True)
class Upload:
    """A file as it came, or what is wrong with it."""

    name: str = ""
    """As its sender calls it, without folders."""
    size: int = 0
    """Bytes."""
    digest: str = ""
    """SHA-256, 64 hex digits."""
    handle: BinaryIO | None = field(default=None, repr=False)
    """The caller closes it. None where something is wrong."""
    wrong: str | None = None
    status: int = 200


class _Form:
    """The parts of a form as they come. Its file follows the proof, as in our pages."""

    def __init__(self, desk: Desk, handle: BinaryIO) -> None:
        self._desk = desk
        self.handle = handle
        self.digest = sha256()
        self.name = ""
        self.size = 0
        self.files = 0
        self.is_whole = False
        self.is_proven = False
        self._parts = 0
        self._around = 0
        self._header = self._value = b""
        self._headers: dict[bytes, bytes] = {}
        self._field: bytes | None = None
        self._held = b""

    def callbacks(self) -> Mapping[str, object]:
        """What the parser calls."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_end": self._whole,
        }

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise NotAllowed(REFUSED)
        self._headers, self._field, self._held = {}, None, b""

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._headers[self._header.lower()] = self._value
        self._header = self._value = b""

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        if b"filename" not in options:
            self._field = options.get(b"name", b"")
            return
        if not self.is_proven:
            raise NotAllowed(REFUSED)
        if options[b"filename"]:
            self.files += 1
            self.name = called(options[b"filename"].decode(errors="replace"))

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._field is None:
            if self.files == 1:
                # Not in a thread: it goes into the system's memory, and a thread for each piece would take longer.
                self.handle.write(data[start:end])
                self.digest.update(data[start:end])
                self.size += end - start
            return
        self._around += end - start
        if self._around > AROUND:
            raise NotAllowed(REFUSED)
        self._held += data[start:end]

    def _end(self) -> None:
        if self._field == b"csrf":
            check_form(self._desk, self._held.decode(errors="replace").strip())
            self.is_proven = True

    def _whole(self) -> None:
        self.is_whole = True


async def guarded_upload(request: Request, desk: Annotated[Desk, Depends(signed_in)]) -> Upload:
    """Take the file of a form of ours; instead of `guard`. Raises NotSignedIn or NotAllowed.

    What the role allows has been asked before: `dependencies=[Depends(only(...))]` of the route.
    """
    if not came_from_here(request):
        raise NotAllowed(REFUSED)
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise NotAllowed(REFUSED)
    if int(request.headers.get("content-length", "0")) > MOST + AROUND:  # servers let only numbers through
        return Upload(wrong=TOO_LARGE, status=413)
    handle: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115  whoever has asked for it closes it
    upload = Upload()
    try:
        upload = await _read(request, _Form(desk, handle), options[b"boundary"])
    finally:
        if upload.handle is None:
            handle.close()
    return upload


async def _read(request: Request, form: _Form, boundary: bytes) -> Upload:
    size = 0
    try:
        parser = MultipartParser(boundary, form.callbacks())  # type: ignore[arg-type]  # named as it names them
        async for chunk in request.stream():
            size += len(chunk)
            if size > MOST + AROUND or form.size > MOST:
                return Upload(wrong=TOO_LARGE, status=413)
            parser.write(chunk)
    except (FormParserError, ClientDisconnect):
        if not form.is_proven:
            raise NotAllowed(REFUSED) from None
        return Upload(wrong=TORN, status=422)
    if not form.is_proven:
        raise NotAllowed(REFUSED)
    if form.size > MOST:
        return Upload(wrong=TOO_LARGE, status=413)
    if not form.is_whole or form.files != 1:
        wrong = TORN if not form.is_whole else TOO_MANY if form.files else NO_FILE
        return Upload(wrong=wrong, status=422)
    form.handle.seek(0)
    return Upload(form.name, form.size, form.digest.hexdigest(), form.handle)


def called(written: str) -> str:
    """What a file is called: without folders, and only what can be shown on a line."""
    name = PurePosixPath(written.replace("\\", "/")).name
    return "".join(filter(str.isprintable, name)).strip()[:LONGEST_NAME] or "readers.csv"


Uploaded = Annotated[Upload, Depends(guarded_upload)]
"""The file of a form of ours, as a parameter of an endpoint."""
