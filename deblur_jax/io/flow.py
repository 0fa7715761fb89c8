"""Optical and motion flow in files: Middlebury's .flo, .pfm, and MATLAB's .mat.

A flow holds (u to the right, v down) in pixels, `[h, w, 2]` float32. Middlebury marks an
unknown motion by a value above 1e9; in memory it is NaN.
"""

import os
import struct
from pathlib import Path

import numpy as np

from deblur_jax.io.files import existing_file, whole_file


SUFFIXES = (".flo", ".pfm", ".mat")
TAG = b"PIEH"  # the first four bytes of a .flo file, 202021.25 as a float
HEADER_BYTES = 12  # the tag, the width and the height
LARGEST_SIDE = 99999  # a larger size means a damaged header
UNKNOWN_ABOVE = 1e9
UNKNOWN_MARK = 1.66666675e9  # the value in Middlebury's files


def read_flow(path: str | os.PathLike[str], *, unknown: str = "stop") -> np.ndarray:
    """Reads a flow file in the format of its suffix.

    Args:
        path: ends in `.flo` (Middlebury), `.pfm` (Scene Flow data sets: the third channel is left
            out, the rows are stored upwards) or `.mat` (one `[h, w, 2]` variable in MATLAB's
            format 5, as Gong et al.'s `mfmap`).
        unknown: treatment of pixels with unknown motion: "stop" raises an error, "nan" sets them
            to NaN.

    Returns:
        `[h, w, 2]` float32.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the header or the length of the file is wrong, a motion is NaN or
            infinite, or is unknown and `unknown` is "stop".
    """
    if unknown not in ("stop", "nan"):
        raise ValueError(f"unknown must be one of ['nan', 'stop'], got {unknown!r}")
    path = existing_file(path, "a flow")
    readers = {".flo": _read_flo, ".pfm": _read_pfm, ".mat": _read_mat}
    if path.suffix.lower() not in readers:
        raise ValueError(f"{path}: the name must end in one of {', '.join(SUFFIXES)}")
    flow = readers[path.suffix.lower()](path)
    finite = np.isfinite(flow)
    if not finite.all():
        count = np.count_nonzero(~finite.all(axis=-1))
        raise ValueError(
            f"{path}: the flow is NaN or infinite at {count} of {flow.shape[0] * flow.shape[1]} "
            "pixels; fix or remove the file"
        )
    missing = (np.abs(flow) > UNKNOWN_ABOVE).any(axis=-1)
    if missing.any() and unknown == "stop":
        raise ValueError(
            f"{path}: the flow is unknown at {np.count_nonzero(missing)} of {missing.size} pixels; "
            'read it with unknown="nan" to get NaN there'
        )
    flow[missing] = np.nan
    return flow


def write_flow(path: str | os.PathLike[str], flow: np.ndarray) -> None:
    """Writes a Middlebury .flo file; it appears under its name only when it is complete.

    Args:
        path: ends in `.flo`.
        flow: `[h, w, 2]`; a pixel with NaN is marked as unknown.

    Raises:
        ValueError: if the name or the shape is not right, or a motion is infinite or beyond 1e9.
        OSError: if the file cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() != ".flo":
        raise ValueError(f"{path}: a flow is written to a file ending in .flo")
    flow = np.asarray(flow, np.float32)
    if flow.ndim != 3 or flow.shape[-1] != 2 or flow.size == 0:
        raise ValueError(f"{path}: the flow must be [h, w, 2], got {list(flow.shape)}")
    if np.any(np.abs(flow) > UNKNOWN_ABOVE):
        raise ValueError(f"{path}: the flow is beyond 1e9 pixels; NaN marks an unknown motion")
    known = ~np.isnan(flow).any(axis=-1, keepdims=True)
    data = np.where(known, flow, np.float32(UNKNOWN_MARK)).astype("<f4")
    height, width, _ = flow.shape
    with whole_file(path) as temporary:
        temporary.write_bytes(TAG + struct.pack("<ii", width, height) + data.tobytes())


def _read_flo(path: Path) -> np.ndarray:
    data = path.read_bytes()
    if data[:4] != TAG:
        raise ValueError(
            f"{path}: not a Middlebury flow; the file must begin with PIEH, got {data[:4]!r}"
        )
    if len(data) < HEADER_BYTES:
        raise ValueError(f"{path}: the header is cut short; copy the file again")
    width, height = struct.unpack_from("<ii", data, 4)
    return _samples(path, data[HEADER_BYTES:], (height, width, 2), "<f4")


def _read_pfm(path: Path) -> np.ndarray:
    kind, size, scale, body = [*path.read_bytes().split(b"\n", 3), b"", b"", b""][:4]
    try:
        width, height = (int(word) for word in size.split())
        order = "<f4" if float(scale) < 0 else ">f4"
    except ValueError:
        raise ValueError(
            f"{path}: not a PFM file; expected a size and a scale after PF, got {size[:20]!r}"
        ) from None
    if kind.strip() != b"PF":
        raise ValueError(f"{path}: not a colour PFM file; it must begin with PF, got {kind[:20]!r}")
    return _samples(path, body, (height, width, 3), order)[::-1, :, :2].copy()


def _samples(path: Path, data: bytes, shape: tuple[int, int, int], order: str) -> np.ndarray:
    height, width, channels = shape
    if not (0 < width <= LARGEST_SIDE and 0 < height <= LARGEST_SIDE):
        raise ValueError(
            f"{path}: the header says {width}x{height} pixels; expected 1 to {LARGEST_SIDE} a side"
        )
    expected = 4 * height * width * channels
    if len(data) != expected:
        state = "is cut short" if len(data) < expected else "is too long"
        raise ValueError(
            f"{path}: the flow {state}; {width}x{height} pixels take {expected} bytes after the "
            f"header, got {len(data)}; copy the file again"
        )
    return np.frombuffer(data, order).reshape(shape).astype(np.float32)


def _read_mat(path: Path) -> np.ndarray:
    variables = read_mat(path)
    flows = {
        name: value
        for name, value in variables.items()
        if value.ndim == 3 and value.shape[-1] == 2 and value.size and value.dtype.kind in "fiu"
    }
    if len(flows) != 1:
        shapes = ", ".join(f"{name} {list(value.shape)}" for name, value in variables.items())
        raise ValueError(f"{path}: expected one variable [h, w, 2], got {shapes or 'none'}")
    (flow,) = flows.values()
    return flow.astype(np.float32)


def read_mat(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Returns the variables of a MATLAB file up to version 7 by name.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is damaged, or of version 7.3 (HDF5).
    """
    from scipy.io import loadmat  # imported here: slow, and rarely needed

    path = existing_file(path, "a .mat file")
    try:
        variables = loadmat(path)
    except NotImplementedError:
        raise ValueError(
            f"{path}: a MATLAB file of version 7.3 (HDF5); save it with -v7 to have it read"
        ) from None
    except Exception as error:  # scipy raises anything for damaged files
        raise ValueError(f"{path}: damaged or not a MATLAB file ({error})") from None
    return {name: value for name, value in variables.items() if not name.startswith("__")}
