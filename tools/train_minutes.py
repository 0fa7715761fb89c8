r"""Train a config for a number of minutes, and pack what is needed to continue on another machine.

    python tools/train_minutes.py --minutes 50 --carry runs/carried \
        --config configs/quickstart.py --workdir runs/quickstart

All other arguments go to `deblur_jax.main`. A workdir without checkpoints is first filled from the
`--carry` folder. At the end the newest checkpoint and the log are packed there, in parts of 15 MB.
To continue on another machine, copy the folder there and run the same command. The throughput is
printed, with its share of each device's peak if that is known.
"""

import argparse
import gzip
import io
import json
import signal
import statistics
import subprocess
import sys
import tarfile
import time
import zlib
from pathlib import Path


PART = 15_000_000  # bytes
LARGEST = 64 * 2**20  # bytes, the limit for a checkpoint


def unpack(carry: Path, workdir: Path) -> None:
    """Unpacks the parts in `carry`, if there are any, unless `workdir` holds checkpoints.

    Raises:
        ValueError: if a part is damaged or missing; then nothing is unpacked.
    """
    parts = sorted(carry.glob("run.tar.*"))
    if parts and not (workdir / "checkpoints").exists():
        data = b"".join(path.read_bytes() for path in parts)
        try:
            with tarfile.open(fileobj=io.BytesIO(data)) as archive:
                archive.getmembers()  # reads the whole archive
                archive.extractall(workdir, filter="data")
        except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile):
            raise ValueError(
                f"{carry}: the packed run is damaged or lacks a part; copy the folder again"
            ) from None


def pack(workdir: Path, carry: Path) -> int:
    """Packs the newest checkpoint and the log into `carry`; returns the size of the checkpoint."""
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
    data = packed.getvalue()
    names = [f"{number:02d}" for number in range(-(-len(data) // PART))]
    for number, name in enumerate(names):
        (carry / f"partial.{name}").write_bytes(data[number * PART : (number + 1) * PART])
    # Replaced when the new parts are complete: an interrupted run leaves the old ones.
    for path in carry.glob("run.tar.*"):
        path.unlink()
    for name in names:
        (carry / f"partial.{name}").rename(carry / f"run.tar.{name}")
    return size


def speeds(workdir: Path) -> dict[str, float]:
    """Returns the median of each speed and time over the second half of the log."""
    records = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    timed = [record for record in records if "speed/images" in record]
    timed = timed[len(timed) // 2 :]
    names = [name for name in (timed[-1] if timed else {}) if name.startswith(("speed/", "time/"))]
    return {name: statistics.median(record[name] for record in timed) for name in names}


def describe(speed: dict[str, float]) -> str:
    """Returns the speeds as one line of text."""
    if not speed:
        return "too few steps for a throughput"
    names = ("data", "compute", "host")
    split = ", ".join(f"{name} {1e3 * speed[f'time/{name}']:.1f}" for name in names)
    part = speed.get("speed/part_of_peak")
    peak = f"{part:.1%} of its peak" if part else "its peak is not known"
    return (
        f"{speed['speed/images']:.1f} images/s; milliseconds a step: {split}; each device computes "
        f"at {speed.get('speed/teraflops', 0):.3g} TFLOP/s, {peak}"
    )


def main() -> None:
    """Trains, packs the run and prints its speed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, required=True, help="to train for")
    parser.add_argument("--carry", type=Path, required=True, help="the folder of the packed run")
    parser.add_argument("--workdir", type=Path, required=True, help="of the run")
    options, rest = parser.parse_known_args()
    until = time.monotonic() + 60 * options.minutes
    options.workdir.mkdir(parents=True, exist_ok=True)
    try:
        unpack(options.carry, options.workdir)
    except ValueError as error:
        sys.exit(f"error: {error}")
    command = [sys.executable, "-m", "deblur_jax.main", "--workdir", str(options.workdir), *rest]
    with subprocess.Popen(command) as training:
        try:
            training.wait(max(until - time.monotonic(), 1))
        except subprocess.TimeoutExpired:
            training.send_signal(signal.SIGTERM)  # saves and exits normally
    if training.returncode == -signal.SIGTERM:
        sys.exit("error: the time was over before the first step; give more --minutes")
    if training.returncode:
        sys.exit(training.returncode)
    try:
        size = pack(options.workdir, options.carry)
    except FileNotFoundError as error:
        sys.exit(f"error: {error}")
    print(describe(speeds(options.workdir)))
    print(f"checkpoint of {size / 2**20:.1f} MiB in {options.carry}")
    if size > LARGEST:
        sys.exit(
            f"error: the checkpoint is larger than {LARGEST // 2**20} MiB; train a smaller model"
        )


if __name__ == "__main__":
    main()
