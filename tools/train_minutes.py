r"""Trains a config for some minutes, and leaves what is needed to go on elsewhere.

    python tools/train_minutes.py --minutes 50 --carry runs/carried \
        --config configs/quickstart.py --workdir runs/quickstart

Everything beside `--minutes` and `--carry` goes to `deblur_jax.main`. What lies in the
`--carry` folder is unpacked into an empty workdir first, and the newest checkpoint and the records
are packed there at the end, in parts of 15 MB, so that a lent machine can be left at any time.
"""

import argparse
import io
import json
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path


PART = 15_000_000  # bytes
LARGEST = 64 * 2**20  # bytes that a checkpoint to carry may have


def unpack(carry: Path, workdir: Path) -> None:
    """Unpacks the parts in `carry`, if there are any and `workdir` holds no checkpoint."""
    parts = sorted(carry.glob("run.tar.*"))
    if parts and not (workdir / "checkpoints").exists():
        data = b"".join(path.read_bytes() for path in parts)
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            archive.extractall(workdir, filter="data")


def pack(workdir: Path, carry: Path) -> int:
    """Packs the newest checkpoint and the records into `carry`; returns the checkpoint's bytes."""
    steps = [int(p.name) for p in (workdir / "checkpoints").glob("*") if p.name.isdigit()]
    if not steps:
        raise FileNotFoundError(f"{workdir}: no checkpoint was saved; train for longer")
    newest = workdir / "checkpoints" / str(max(steps))
    size = sum(path.stat().st_size for path in newest.rglob("*") if path.is_file())
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.add(newest, newest.relative_to(workdir))
        archive.add(workdir / "metrics.jsonl", "metrics.jsonl")
    carry.mkdir(parents=True, exist_ok=True)
    for path in carry.glob("run.tar.*"):
        path.unlink()
    data = packed.getvalue()
    for number, start in enumerate(range(0, len(data), PART)):
        (carry / f"run.tar.{number:02d}").write_bytes(data[start : start + PART])
    return size


def throughput(workdir: Path) -> float | None:
    """Returns the steps a second over the second half of the records."""
    records = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    times = [
        sum(value for name, value in record.items() if name.startswith("time/"))
        for record in records
        if "time/compute" in record
    ]
    times = times[len(times) // 2 :]
    return len(times) / sum(times) if times else None


def main() -> None:
    """Trains, packs and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # pyright: ignore[reportOptionalMemberAccess]
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--carry", type=Path, required=True)
    parser.add_argument("--workdir", type=Path, required=True)
    options, rest = parser.parse_known_args()
    until = time.monotonic() + 60 * options.minutes
    options.workdir.mkdir(parents=True, exist_ok=True)
    unpack(options.carry, options.workdir)
    command = [sys.executable, "-m", "deblur_jax.main", "--workdir", str(options.workdir), *rest]
    with subprocess.Popen(command) as training:
        try:
            training.wait(max(until - time.monotonic(), 1))
        except subprocess.TimeoutExpired:
            training.send_signal(signal.SIGTERM)  # saves, and ends well
    if training.returncode:
        sys.exit(training.returncode)
    size = pack(options.workdir, options.carry)
    rate = throughput(options.workdir)
    print(f"{rate:.3g} steps/s; " if rate else "", end="")
    print(f"checkpoint of {size / 2**20:.1f} MiB in {options.carry}")
    if size > LARGEST:
        sys.exit(f"error: more than {LARGEST // 2**20} MiB to carry; take a smaller model")


if __name__ == "__main__":
    main()
