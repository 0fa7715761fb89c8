"""What decoders in C write to standard error, past Python."""

import contextlib
import os
import sys
import tempfile
import threading
from collections.abc import Iterator


_one_at_a_time = threading.Lock()  # standard error belongs to the process


@contextlib.contextmanager
def native_complaints() -> Iterator[list[str]]:
    """Yields a list that holds, at the end, the lines that were written to standard error.

    LibRaw and libtiff report damaged pixels there.
    """
    found: list[str] = []
    with _one_at_a_time, tempfile.TemporaryFile() as file:
        if sys.stderr is not None:
            sys.stderr.flush()
        try:
            kept = os.dup(2)
        except OSError:  # standard error is closed
            yield found
            return
        os.dup2(file.fileno(), 2)
        try:
            yield found
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            lines = file.read().decode(errors="replace").splitlines()
            found += [line for line in lines if line.strip()]
