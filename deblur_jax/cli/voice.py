"""Where a command prints: results, words for people, notes and errors."""

import argparse
import sys
from dataclasses import dataclass
from typing import TextIO

from deblur_jax.cli.options import to_standard_output


@dataclass(frozen=True)
class Voice:
    """Streams for each kind of line; None for kinds that are not printed.

    Attributes:
        words: of what is being done.
        details: of what is only said on request.
        notes: of what a result lacks, and of the whole run.
        names: pairs of a path and what it is called in all lines.
    """

    words: TextIO | None
    details: TextIO | None
    notes: TextIO | None
    names: tuple[tuple[str, str], ...] = ()

    def say(self, text: str) -> None:
        """Prints what is being done."""
        self._print(text, self.words)

    def detail(self, text: str) -> None:
        """Prints what is only said on request."""
        self._print(text, self.details)

    def note(self, text: str) -> None:
        """Prints what a result lacks, or a summary where standard output is for others."""
        self._print(text, self.notes)

    def complain(self, text: str) -> None:
        """Prints an error."""
        self._print(f"deblur: {text}", sys.stderr)

    def called(self, text: str) -> str:
        """Returns a text with the names of files as people know them."""
        for path, name in self.names:
            text = text.replace(path, name)
        return text

    def _print(self, text: str, stream: TextIO | None) -> None:
        if stream is not None:
            print(self.called(text), file=stream, flush=True)


def make_voice(options: argparse.Namespace, names: tuple[tuple[str, str], ...] = ()) -> Voice:
    """Returns the voice that the options of `deblur` ask for.

    Standard output is for words, unless JSON or a photo goes there.
    """
    words = sys.stderr if to_standard_output(options) else sys.stdout
    if options.quiet or options.json:
        words = None
    details = (words or sys.stderr) if options.verbose else None
    return Voice(words, details, None if options.quiet else sys.stderr, names)
