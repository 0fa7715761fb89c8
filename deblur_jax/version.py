"""The version, read by the build and by the package."""

import subprocess
from pathlib import Path


__version__ = "0.2.0"


def revision() -> str | None:
    """Returns the git commit that this package runs from, with "-dirty" after changes.

    None if it is installed, rather than run from a clone.
    """
    folder = Path(__file__).parent
    try:
        described = _git(folder, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
        _git(folder, "ls-files", "--error-unmatch", "version.py")  # a clone of ours, not around us
    except (OSError, subprocess.SubprocessError):
        return None
    return described


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
