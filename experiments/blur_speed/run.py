r"""How fast are the blur operators beside other implementations?

    python -m experiments.blur_speed.run blur --json rows.json       all sizes and kernels: hours
    python -m experiments.blur_speed.run blur --sizes 256x256 --sides 9 33 --bases 25
    python -m experiments.blur_speed.run blur --only "torch transform" --json rows.json
    python -m experiments.blur_speed.run blur --devices 2            rows spread over two devices
    python -m experiments.blur_speed.run table rows.json more.json   print a Markdown table
    python -m experiments.blur_speed.run table rows.json more.json --out medians.json
    python -m experiments.blur_speed.run line                        the line blur, smooth flow

Every contender of a row runs in every round, so that other load on the machine affects all of
them; a figure is the median over rounds. Before a contender's turn the machine rests, because
threads of the previous one may still spin, and the call is made once untimed. It is then repeated
for a short turn, as in a solver or a training loop, and the mean counts. A call that takes longer
than half a second is timed the first time. The results are compared first: a contender that
differs from ours by more than 1e-4 of the largest value is marked `!`. Memory is the peak of the
process during one call above what it held before (Linux only). The fraction is the time that the
machine's measured limits allow for the cheapest formulation, divided by ours.

`--json` adds to a file, and a row that is measured again replaces the old one, so a table can be
measured in parts. Short calls vary more from run to run than from round to round: give `table` the
files of several runs, and it prints the medians; `--out` writes those with the spread of the
ratios, and `table` prints that file again.
"""

import argparse
import ctypes
import functools
import gc
import importlib.util
import json
import math
import statistics
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from deblur_jax.ops.basis_blur import METHODS, basis_blur, choose_method
from deblur_jax.ops.line_blur import line_blur
from deblur_jax.ops.sharded import sharded_basis_blur
from experiments.blur_speed import blur_peers, line_peers
from experiments.shared import machine, resident, run_command, write_record


SIZES = ("256x256", "720x1280", "1080x1920", "3000x4000")
OPERATIONS = ("forward", "adjoint", "gradient")
OURS = "deblur_jax"
REST = 0.03  # seconds between contenders
SHORT = 0.5  # seconds; a longer call is timed as it comes
TURN = 0.06  # seconds for which a short call is repeated; short, so that load affects all alike


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    blur = commands.add_parser("blur", help="time the basis blur: forward, adjoint, gradient")
    blur.add_argument("--sizes", nargs="+", default=list(SIZES), metavar="HxW", help="of the image")
    blur.add_argument(
        "--sides", nargs="+", type=int, default=[9, 33, 65], metavar="K", help="of the kernels"
    )
    blur.add_argument(
        "--bases", nargs="+", type=int, default=[5, 25], metavar="B", help="numbers of kernels"
    )
    blur.add_argument("--operations", nargs="+", choices=OPERATIONS, default=list(OPERATIONS))
    blur.add_argument(
        "--only",
        nargs="*",
        choices=list(blur_peers.PEERS),
        default=None,
        help="peers (default: all that are installed)",
    )
    blur.add_argument(
        "--methods", nargs="*", choices=METHODS, default=[], help="also time these methods of ours"
    )
    blur.add_argument("--devices", type=int, default=1, help="devices to spread the rows over")
    blur.add_argument("--rounds", type=int, default=5, help="whose median is taken")
    blur.add_argument("--patience", type=float, default=20.0, help="most seconds of a peer's call")
    blur.add_argument("--json", type=Path, help="add the rows to this file")
    blur.set_defaults(run=benchmark_blur)
    line = commands.add_parser("line", help="time the line blur: forward, adjoint, gradient")
    line.add_argument("--size", default="321x481", metavar="HxW", help="of the image")
    line.add_argument("--length", type=float, default=36.0, help="of the longest line in pixels")
    line.add_argument("--rounds", type=int, default=5, help="whose median is taken")
    line.set_defaults(run=benchmark_line)
    table = commands.add_parser("table", help="print the rows of files as a Markdown table")
    table.add_argument("json", type=Path, nargs="+", help="files of `blur --json`, one a run")
    table.add_argument("--out", type=Path, help="also write the medians to this file")
    table.set_defaults(run=print_table)
    options = parser.parse_args()
    options.run(options)


def benchmark_blur(options: argparse.Namespace) -> None:
    """Prints one row for each case and operation, and adds them to `--json`."""
    if options.devices > 1:
        jax.config.update("jax_num_cpu_devices", options.devices)
        if jax.device_count() < options.devices:
            raise SystemExit(
                f"--devices {options.devices}: JAX has {jax.device_count()}; give no more"
            )
    wanted = blur_peers.PEERS if options.only is None else options.only
    peers, missing = {}, []
    for name in wanted:
        needs = blur_peers.PEERS[name][1]
        absent = [package for package in needs if importlib.util.find_spec(package) is None]
        if absent:
            missing.append(f"{name} (needs {', '.join(absent)})")
        else:
            peers[name] = blur_peers.PEERS[name]
    limits = machine_limits()
    print(f"{machine()}\nnot installed: {', '.join(missing) or 'none'}")
    print("limits: " + ", ".join(f"{name} {value:.3g}" for name, value in limits.items()))
    rows = []
    for size in options.sizes:
        height, width = map(int, size.split("x"))
        for side in options.sides:
            for basis in options.bases:
                case = make_case(height, width, side, basis)
                for operation in options.operations:
                    row = measure(case, operation, peers, options, limits)
                    rows.append({"size": size, "side": side, "basis": basis, **row})
                    print(describe(rows[-1]), flush=True)
                    if options.json:
                        record = {
                            "machine": machine(),
                            "devices": options.devices,
                            "missing": missing,
                            "limits": limits,
                        }
                        write_rows(options.json, record, rows)


def case_of(row: dict) -> list:
    """Returns the size, the kernels and the operation of a row."""
    return [row[name] for name in ("size", "side", "basis", "operation")]


def write_rows(path: Path, record: dict, rows: list[dict]) -> None:
    """Writes a record with `rows` and the file's rows of other cases."""
    new = [case_of(row) for row in rows]
    old = read_record(path)["rows"] if path.exists() else []
    kept = [row for row in old if case_of(row) not in new]
    write_record(path, {**record, "rows": kept + rows})


def read_record(path: Path) -> dict:
    """Reads a file of `--json` or of `table --out`."""
    return json.loads(path.read_text())


def print_table(options: argparse.Namespace) -> None:
    """Prints the table of several files, and writes their medians to `--out`."""
    record = medians_of(*map(read_record, options.json))
    if options.out:
        write_record(options.out, record)
    print(table_of(record))


def medians_of(*records: dict) -> dict:
    """Returns a record of the medians over the records of several runs."""
    if len(records) == 1 and "files" in records[0]:
        return records[0]
    if any("files" in record for record in records):
        raise SystemExit("table: a file holds medians; give it alone, or files of `blur --json`")
    devices = {record["devices"] for record in records}
    if len(devices) > 1:
        raise SystemExit(f"table: the files are of {sorted(devices)} devices; give those of one")
    return {
        "machines": sorted({record["machine"] for record in records}),
        "devices": devices.pop(),
        "files": len(records),
        "rows": median_rows(*records),
    }


def median_rows(*records: dict) -> list[dict]:
    """Returns one row for each case: the medians over the records that have it."""
    of_case = {}
    for row in (row for record in records for row in record["rows"]):
        of_case.setdefault(tuple(case_of(row)), []).append(row)

    def figures(rows: list[dict], field: str) -> dict[str, list[float]]:
        names = dict.fromkeys(name for row in rows for name in row[field])
        return {name: [row[field][name] for row in rows if name in row[field]] for name in names}

    def medians(rows: list[dict], field: str) -> dict[str, float]:
        values = figures(rows, field)
        return {name: short(statistics.median(each)) for name, each in values.items()}

    def spreads(rows: list[dict]) -> dict[str, list[float]]:
        values = figures(rows, "ratios")
        return {
            name: [float(f"{bound:.3g}") for bound in (min(each), max(each))]
            for name, each in values.items()
            if name != OURS
        }

    fields = ("seconds", "ratios", "memory_megabytes")
    return [
        {
            **{name: rows[0][name] for name in ("size", "side", "basis", "operation", "method")},
            "runs": len(rows),
            "fraction": short(statistics.median(row["fraction"] for row in rows)),
            "compile_seconds": short(statistics.median(row["compile_seconds"] for row in rows)),
            **{field: medians(rows, field) for field in fields},
            "least_and_most_ratio": spreads(rows),
            "different": sorted({name for row in rows for name in row["different"]}),
            "notes": {name: note for row in rows for name, note in row["notes"].items()},
        }
        for rows in of_case.values()
    ]


def short(value: float) -> float:
    """Returns a value with six significant digits, more than any table prints."""
    return float(f"{value:.6g}")


def table_of(record: dict) -> str:
    """Returns a Markdown table: our time, and each peer's divided by it, with megabytes."""
    rows = list(record["rows"])
    rows.sort(key=lambda row: (SIZES.index(row["size"]), *case_of(row)[1:3]))
    names = [name for name in blur_peers.PEERS if any(name in row["ratios"] for row in rows)]
    head = ["image", "side", "kernels", "operation", "method", "ours, ms (MB)", *names, "limit"]
    lines = [head, ["---"] * len(head)]
    for row in rows:
        memory = row["memory_megabytes"]
        peers = [
            f"{row['ratios'][name]:.2f} ({memory[name]:.0f})" if name in row["ratios"] else "-"
            for name in names
        ]
        size, *case = case_of(row)
        ours = f"{1e3 * row['seconds'][OURS]:.1f} ({memory[OURS]:.0f})"
        start = [size.replace("x", " x "), *map(str, case), row["method"], ours]
        lines.append([*start, *peers, f"{row['fraction']:.0%}"])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def make_case(height: int, width: int, side: int, basis: int) -> tuple[np.ndarray, ...]:
    """Returns a random image, kernels and mixing normalised to one, and a probe."""
    rng = np.random.default_rng(0)
    kernels = rng.random((basis, side, side), np.float32)
    mixing = rng.random((height, width, basis), np.float32)
    return (
        rng.standard_normal((height, width, 3), np.float32),
        kernels / kernels.sum((1, 2), keepdims=True),
        mixing / mixing.sum(2, keepdims=True),
        rng.standard_normal((height, width, 3), np.float32),
    )


def measure(case, operation: str, peers, options, limits) -> dict:
    """Times one operation; returns medians, ratios to ours, memory and differing contenders."""
    _, kernels, mixing, _ = case
    blur, *arrays, probe = ours_on_devices(case, options.devices)
    ours = blur_peers.jax_operations(blur, arrays, probe)[operation]
    calls, different, notes = {OURS: ours}, [], {}
    expected = fingerprint(ours(), operation)
    work = float(mixing.size) * kernels.shape[-1] ** 2
    for method in options.methods:  # to check the choice of "auto"
        forced = functools.partial(blur, method=method)
        calls[method] = blur_peers.jax_operations(forced, arrays, probe)[operation]
        calls[method]()
    for name, (contender, _, most_work) in peers.items():
        call = contender(*case).get(operation) if work <= most_work else None
        if call is None:
            continue
        start = time.perf_counter()
        try:
            found = fingerprint(call(), operation)
        except Exception as error:  # a failure of a peer is recorded
            notes[name] = f"{type(error).__name__}"
            continue
        if not np.allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max()):
            different.append(name)
        if time.perf_counter() - start > options.patience:
            notes[name] = "too slow"
            continue
        calls[name] = call
    medians, memory = take_turns(calls, options.rounds)
    return {
        "operation": operation,
        "method": choose_method(kernels.shape[-1], kernels.shape[0], jax.default_backend()),
        "seconds": medians,
        "ratios": {name: value / medians[OURS] for name, value in medians.items()},
        "memory_megabytes": memory,
        "compile_seconds": ours.compile_seconds,
        "different": different,
        "notes": notes,
        "fraction": attainable(case, operation, limits) / medians[OURS],
    }


def ours_on_devices(case, devices: int):
    """Returns our blur and a case's arrays, on one device or with rows spread over several."""
    if devices == 1:
        return functools.partial(basis_blur, padding="constant"), *map(jnp.asarray, case)
    mesh = Mesh(np.asarray(jax.devices()[:devices]), ("rows",))
    by_rows, everywhere = PartitionSpec("rows"), PartitionSpec()
    arrays = (
        jax.device_put(array, NamedSharding(mesh, spec))
        for array, spec in zip(case, (by_rows, everywhere, by_rows, by_rows), strict=True)
    )
    return functools.partial(sharded_basis_blur, mesh=mesh, padding="constant"), *arrays


def take_turns(calls, rounds: int) -> tuple[dict[str, float], dict[str, float]]:
    """Times calls in turn; returns their median seconds and peak megabytes by name."""
    memory = {name: peak_memory(call) for name, call in calls.items()}
    seconds = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            time.sleep(REST)
            seconds[name].append(seconds_of(call))
    return {name: statistics.median(times) for name, times in seconds.items()}, memory


def seconds_of(call) -> float:
    """Returns the seconds of a call: a long one's first, else the mean of repeated calls."""
    start = time.perf_counter()
    call()
    first = time.perf_counter() - start
    if first > SHORT:
        return first
    start, count, passed = time.perf_counter(), 0, 0.0
    while passed < TURN:
        call()
        count, passed = count + 1, time.perf_counter() - start
    return passed / count


def benchmark_line(options: argparse.Namespace) -> None:
    """Prints one row for each operation of the line blur with a smooth flow."""
    height, width = map(int, options.size.split("x"))
    rng = np.random.default_rng(0)
    image, probe = rng.standard_normal((2, height, width, 3), np.float32)
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    flow = np.stack([columns - 0.5 * rows, rows + 0.5 * columns], -1)
    flow *= options.length / np.linalg.norm(flow, axis=-1).max()
    arrays, y = (jnp.asarray(image), jnp.asarray(flow)), jnp.asarray(probe)

    def derivative(argument, image, flow, y):
        return jax.grad(lambda *a: jnp.vdot(line_blur(*a), y), argument)(image, flow)

    ours = {
        "forward": blur_peers.Compiled(line_blur, arrays),
        "adjoint": blur_peers.Compiled(functools.partial(derivative, 0), (*arrays, y)),
        "gradient": blur_peers.Compiled(functools.partial(derivative, 1), (*arrays, y)),
    }
    peers = {
        name: contender(image, flow, probe)
        for name, (contender, packages, most_work) in line_peers.PEERS.items()
        if all(importlib.util.find_spec(package) for package in packages)
        and height * width * options.length**2 <= most_work
    }
    print(machine())
    for operation, call in ours.items():
        calls = {OURS: call, **{name: peer[operation] for name, peer in peers.items()}}
        results = {name: np.asarray(call()) for name, call in calls.items()}
        medians, memory = take_turns(calls, options.rounds)
        largest = np.abs(results[OURS]).max()
        peers_text = ", ".join(
            f"{name} {medians[name] / medians[OURS]:.2f} ({memory[name]:.0f} MB, differs by "
            f"{np.abs(results[name] - results[OURS]).max() / largest:.0%})"
            for name in peers
        )
        print(
            f"{options.size} length {options.length:g} {operation} {1e3 * medians[OURS]:.1f} ms, "
            f"{memory[OURS]:.0f} MB, compiled in {call.compile_seconds:.1f} s"
            f" | ratios: {peers_text or 'no peer'}",
            flush=True,
        )


def fingerprint(result, operation: str) -> np.ndarray:
    """Returns what must agree between contenders: the image, or the norms of the gradients."""
    if operation != "gradient":
        return np.asarray(result)
    return np.asarray([np.linalg.norm(np.asarray(part, np.float64)) for part in result])


def peak_memory(call) -> float:
    """Returns the most megabytes by which the process grows in a call; NaN if unknown."""
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)  # return freed memory to the system
        Path("/proc/self/clear_refs").write_text("5")  # reset the recorded peak
        before = resident("VmRSS")
        call()
        return (resident("VmHWM") - before) / 1024
    except (AttributeError, OSError):
        return math.nan


def machine_limits() -> dict[str, float]:
    """Measures the bytes copied, products and complex points transformed in a second."""
    block = jnp.ones((64, 1024, 1024), jnp.float32)
    matrix = jnp.ones((2048, 2048), jnp.float32)
    tiles = jnp.ones((64, 256, 256), jnp.complex64)
    multiply = jax.jit(lambda a: jnp.matmul(a, a, precision="highest"))
    seconds = {
        "copied bytes/s": (best(jax.jit(lambda a: a + 1), block), 2 * block.nbytes),
        "products/s": (best(multiply, matrix), 2048.0**3),
        "transformed points/s": (best(jax.jit(jnp.fft.fft2), tiles), float(tiles.size)),
    }
    return {name: amount / time for name, (time, amount) in seconds.items()}


def best(function, argument) -> float:
    """Returns the shortest of several timings in seconds."""
    times = []
    for _ in range(6):
        start = time.perf_counter()
        jax.block_until_ready(function(argument))
        times.append(time.perf_counter() - start)
    return min(times[1:])


def attainable(case, operation: str, limits: dict[str, float]) -> float:
    """Returns the least seconds that the limits allow, for the cheaper of two formulations.

    With transforms, a kernel costs half a complex transform of every channel; with pixel kernels,
    the products that form and apply them. Neither can be faster than moving the arrays. A gradient
    counts as three blurs: forward, to the image and kernels, to the mixing.
    """
    image, kernels, mixing, _ = case
    basis, side, _ = kernels.shape
    pixels, channels = image.shape[0] * image.shape[1], image.shape[2]
    transforms = pixels * channels * (basis + 1) / 2 / limits["transformed points/s"]
    products = pixels * side**2 * (basis + channels) / limits["products/s"]
    moved = (2 * image.nbytes + mixing.nbytes) / limits["copied bytes/s"]
    return max(moved, min(transforms, products)) * (3 if operation == "gradient" else 1)


def describe(row: dict) -> str:
    """Returns a row as one line."""
    peers = [
        f"{name} {ratio:.2f}{'!' if name in row['different'] else ''}"
        f" ({row['memory_megabytes'][name]:.0f} MB)"
        for name, ratio in row["ratios"].items()
        if name != OURS
    ]
    notes = [f"{name}: {note}" for name, note in row["notes"].items()]
    return (
        f"{row['size']} K{row['side']} B{row['basis']} {row['operation']} [{row['method']}] "
        f"{1e3 * row['seconds'][OURS]:.1f} ms, {row['memory_megabytes'][OURS]:.0f} MB, "
        f"compiled in {row['compile_seconds']:.1f} s, {row['fraction']:.0%} of the limit"
        f" | ratios: {', '.join(peers + notes) or 'no peer'}"
    )


if __name__ == "__main__":
    run_command(main)
