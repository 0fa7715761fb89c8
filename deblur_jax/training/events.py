"""TensorBoard's event files, written as they come: no thread, no queue, no TensorFlow.

The writer of tensorboardX hands events to a thread; when the disk is full that thread dies, and
the run waits for ever for room in its queue. Here a failed write is an OSError of the caller.
"""

import os
import socket
import struct
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from tensorboardX import summary
from tensorboardX.proto.event_pb2 import Event, SessionLog  # pyright: ignore[reportAttributeAccessIssue]
from tensorboardX.record_writer import masked_crc32c


class EventFile:
    """A new file of events in a folder; earlier ones stay."""

    def __init__(self, folder: Path, *, purge_step: int):
        """Opens it; what earlier files hold from `purge_step` on, TensorBoard is to forget."""
        name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}.{os.getpid()}"
        self._file = (folder / name).open("wb")
        self._write(Event(file_version="brain.Event:2"))
        start = SessionLog(status=SessionLog.START)
        self._write(Event(session_log=start, step=purge_step))

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Writes named numbers."""
        for name, value in values.items():
            self._write(Event(summary=summary.scalar(name, value), step=step))
        self._file.flush()

    def image(self, step: int, name: str, pixels: np.ndarray) -> None:
        """Writes a picture, `[h, w, 3]` of 8 bits."""
        picture = summary.image(name, pixels, dataformats="HWC")
        self._write(Event(summary=picture, step=step))
        self._file.flush()

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def _write(self, event: Event) -> None:
        event.wall_time = time.time()
        data = event.SerializeToString()
        header = struct.pack("<Q", len(data))
        for part in (header, data):
            self._file.write(part + struct.pack("<I", masked_crc32c(part)))
