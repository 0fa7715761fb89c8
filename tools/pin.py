"""Write constraints.txt: the versions that the tests were run with, on every Python.

    python tools/pin.py 3.11=FREEZE 3.12=FREEZE 3.13=FREEZE > constraints.txt

Each FREEZE is the output of `pip freeze` in a fresh virtual environment of that Python after
`pip install -e '.[dev]'`. Lines other than `name==version`, such as this package, are dropped.
"""

import re
import sys
from pathlib import Path


def main(arguments: list[str]) -> None:
    """Prints one line a package, with a marker if the versions differ between Pythons."""
    versions: dict[str, dict[str, str]] = {}
    pythons = []
    for argument in arguments:
        python, _, path = argument.partition("=")
        pythons.append(python)
        for line in Path(path).read_text().splitlines():
            if found := re.fullmatch(r"([\w.-]+)==([\w.+!]+)", line.strip()):
                name = re.sub(r"[-_.]+", "-", found[1]).lower()
                versions.setdefault(name, {})[python] = found[2]
    for name, by_python in sorted(versions.items()):
        if len(by_python) == len(pythons) and len(set(by_python.values())) == 1:
            print(f"{name}=={by_python[pythons[0]]}")
            continue
        for version in dict.fromkeys(by_python.values()):
            markers = [f'python_version == "{p}"' for p, v in by_python.items() if v == version]
            print(f"{name}=={version} ; {' or '.join(markers)}")


if __name__ == "__main__":
    main(sys.argv[1:])
