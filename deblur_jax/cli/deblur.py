"""The command for photos: which are restored, in what order, and what is printed about each."""

import argparse
import contextlib
import os
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

from tqdm import tqdm

from deblur_jax.cli.completion import completion
from deblur_jax.cli.deblur_video import deblur_file
from deblur_jax.cli.options import MODELS, STANDARD, make_parser, parse, to_standard_output
from deblur_jax.cli.outcome import BEFORE, DEBLURRED, FAILED, UNCHANGED, Outcome, findings
from deblur_jax.cli.photos import Job, Selection, find_photos, plan
from deblur_jax.cli.record import append, finished_before, read_records, record_path
from deblur_jax.cli.restore_photo import (
    Settings,
    describe,
    describe_network,
    find_network,
    finished,
    forecast,
    kept_and_lost,
    offered,
    print_any_name,
    restore_photo,
)
from deblur_jax.cli.standard_streams import (
    check_standard_output,
    copy_standard_input,
    restored_bytes,
    result_ending,
    write_bytes,
)
from deblur_jax.cli.voice import Voice, make_voice
from deblur_jax.io.files import check_writable, existing_file
from deblur_jax.io.images import Photo, read_photo, write_photo
from deblur_jax.io.video import VIDEO_SUFFIXES


INTERRUPTED, BROKEN_PIPE = 130, 141  # the exit codes of shells after Ctrl-C and a closed pipe
REPORT = "-report.png"  # ends the names of reports
BAR = "{percentage:3.0f} %|{bar}| {remaining} left"
LONGEST_NAME = 255  # bytes of a file name that common file systems allow


def main(argv: list[str] | None = None) -> int:
    """Runs the command and returns its exit code, one of those that `--help` lists."""
    options = parse(argv)
    print_any_name()
    try:
        code = _run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # Python would complain when it flushes the stream at exit.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    return code


def _run(options: argparse.Namespace) -> int:
    if options.print_completion:
        print(completion(make_parser(), options.print_completion, {"--model": MODELS}), end="")
        return 0
    voice = make_voice(options)
    try:
        if options.model is not None and hasattr(find_network(options.model).model, "restored"):
            return _deblur_videos(options, voice)
        if STANDARD in options.photos or to_standard_output(options):
            with tempfile.TemporaryDirectory(prefix="deblur-") as folder:
                return _deblur_stream(options, Path(folder))
        return _deblur_photos(options, voice)
    except BrokenPipeError:
        raise
    except (OSError, ValueError) as error:
        voice.complain(str(error))
        return 1


def _deblur_photos(options: argparse.Namespace, voice: Voice) -> int:
    """Restores files, folders and patterns; an error stops only the photo that it is about."""
    found = find_photos(options.photos)
    for message in (*found.missing, *found.empty):
        voice.complain(message)
    ending = f".{options.format}" if options.format else None
    number, count = options.part
    jobs = plan(found.photos, options.output, ending)[number - 1 :: count]
    if options.report is not None:
        options.report.mkdir(parents=True, exist_ok=True)
    folder = _existing_folder(options.output)
    lines = {} if folder is None else read_records(folder)
    if options.force:
        lines = {name: line for name, line in lines.items() if line["state"] != UNCHANGED}
    record = None
    if folder is not None and len(found.photos) > 1:
        record = record_path(folder, options.part)
    named = options.output is not None and folder is None
    states: Counter[str] = Counter()
    try:
        for job in jobs:
            outcome = _outcome(job, options, voice, lines, named=named)
            if record is not None and outcome.state != BEFORE:
                append(record, job, outcome, _choices(options))
            if outcome.state == BEFORE and (options.verbose or len(jobs) == 1):
                result = job.output if outcome.written else f"left unchanged: {outcome.verdict}"
                voice.say(f"{job.photo}: done before: {result}; --overwrite restores it again")
            if options.json:
                print(outcome.line(), flush=True)
            states[outcome.state] += 1
    except KeyboardInterrupt:
        voice.complain(f"stopped after {states[DEBLURRED]} of {len(jobs)} photos")
        return INTERRUPTED
    if summary := _summary(found, jobs, states, options):
        (voice.note if options.json else voice.say)(summary)
    return 1 if found.missing or states[FAILED] else 0


def _existing_folder(path: Path | None) -> Path | None:
    return path if path is not None and path.is_dir() else None


def _outcome(
    job: Job, options: argparse.Namespace, voice: Voice, lines: Any, *, named: bool
) -> Outcome:
    """Returns what was done with a photo, now or before, or why that failed."""
    choices = _choices(options)
    try:
        before = None
        if not options.overwrite:
            before = finished_before(job, lines, choices, named=named)
        return before or _deblur(job, options, voice)
    except BrokenPipeError:
        raise
    except Exception as error:  # an error of any kind must not stop the other photos
        words = _complaint(error, job.photo, job.output)
        voice.complain(words)
        if not isinstance(error, (OSError, ValueError, MemoryError)):
            voice.detail(traceback.format_exc().rstrip())
        return Outcome(
            voice.called(str(job.photo)), voice.called(str(job.output)), FAILED, choices["model"],
            reason=voice.called(words),
        )  # fmt: skip


def _choices(options: argparse.Namespace) -> dict[str, Any]:
    """Returns the options that a result depends on."""
    return {
        "model": options.model or MODELS[0],
        "strength": options.strength,
        "max_blur": options.max_blur,
        "steps": options.steps,
        "transfer": options.transfer,
    }


def _summary(
    found: Selection, jobs: list[Job], states: Counter[str], options: argparse.Namespace
) -> str:
    """Returns the line about all photos; an empty text if there is nothing to say."""
    left_out = ((found.others, "other files"), (found.hidden, "hidden files and folders"))
    notes = [f"{count} {what} in the folders were left out" for count, what in left_out if count]
    number, count = options.part
    if len(jobs) > 1 or count > 1:
        part = f"part {number} of {count}: " if count > 1 else ""
        before = f", {states[BEFORE]} done before" if states[BEFORE] else ""
        notes.insert(
            0,
            f"{part}{len(jobs)} photos: {states[DEBLURRED]} deblurred, {states[UNCHANGED]} left "
            f"unchanged, {states[FAILED]} failed{before}",
        )
    return f"{'; '.join(notes)}." if notes else ""


def _complaint(error: Exception, file: Path, output: Path | None = None) -> str:
    """Returns an error message in one line that names the file, or the file of its result."""
    words = " ".join(str(error).split())
    if isinstance(error, MemoryError):
        return f"{file}: does not fit in memory {words}".rstrip()
    if isinstance(error, (OSError, ValueError)):
        named = any(place is not None and place.name in str(error) for place in (file, output))
        return words if named else f"{file}: {words}"
    return f"{file}: internal error in deblur_jax ({type(error).__name__}: {words})"


def _deblur_stream(options: argparse.Namespace, folder: Path) -> int:
    """Restores one photo from standard input, or to standard output, or both."""
    if to_standard_output(options):
        check_standard_output()
    (name,) = options.photos
    received = name == STANDARD
    photo = copy_standard_input(folder) if received else Path(name)
    ending = f".{options.format}" if options.format else None
    output, names = options.output, ()
    if received:
        names += ((str(photo), "standard input"),)
    if to_standard_output(options):
        existing_file(photo, "a photo")
        output = folder / f"result{ending or result_ending(photo)}"
        names += ((str(output), "standard output"), (output.name, "standard output"))
    voice = make_voice(options, names)
    (job,) = plan([photo], output, ending)
    if options.report is not None:
        options.report.mkdir(parents=True, exist_ok=True)
    try:
        outcome = _outcome(job, options, voice, {}, named=True)
    except KeyboardInterrupt:
        voice.complain("stopped")
        return INTERRUPTED
    if options.json:
        print(outcome.line(), flush=True)
    if outcome.state == FAILED:
        return 1
    if to_standard_output(options):
        write_bytes(restored_bytes(job, written=outcome.written))
    return 0


def _deblur_videos(options: argparse.Namespace, voice: Voice) -> int:
    """Restores folders of frames and video files with a network that restores them directly."""
    if options.json or options.format or options.part != (1, 1) or STANDARD in options.photos:
        raise ValueError(
            f"{options.model} restores videos, and --json, --format, --part and - are for photos; "
            "omit them"
        )
    if options.output is not None and len(options.photos) > 1:
        raise ValueError(f"{options.output}: -o is for one video; restore the videos one by one")
    failed = 0
    for name in options.photos:
        try:
            if not Path(name).is_dir() and Path(name).suffix.lower() not in VIDEO_SUFFIXES:
                raise ValueError(
                    f"{name}: not a video, but {options.model} restores videos; give a folder of "
                    f"frames or a file that ends in one of {', '.join(VIDEO_SUFFIXES)}"
                )
            voice.say(deblur_file(Path(name), options.output, options.model))
        except KeyboardInterrupt:
            voice.complain(f"stopped at {name}")
            return INTERRUPTED
        except BrokenPipeError:
            raise
        except Exception as error:  # an error of any kind must not stop the other videos
            voice.complain(_complaint(error, Path(name), options.output))
            failed += 1
    return 1 if failed else 0


def _deblur(job: Job, options: argparse.Namespace, voice: Voice) -> Outcome:
    """Restores one photo, and writes the result if it is trusted."""
    begun = time.monotonic()
    if job.photo.suffix.lower() in VIDEO_SUFFIXES:
        raise ValueError(
            f"{job.photo}: is a video; use --model with the weights of a network that restores "
            "frames, such as one trained with configs/zhang.py"
        )
    photo = read_photo(job.photo)
    check_writable(job.output)
    if options.report is not None:
        check_writable(_report_path(job, options))
    photo, lost = kept_and_lost(photo, job.output)
    if lost:
        voice.note(f"{job.photo}: left out of {job.output.name}: {', '.join(lost)}.")
    network = find_network(options.model)
    voice.say(f"{job.photo}: estimating blur with {describe_network(network)} ...")
    settings = Settings(
        options.model, options.max_blur, options.steps, options.device, options.transfer
    )
    report_wait = forecast(lambda words: voice.say(f"{job.photo}: {words}."))
    hidden = True if options.quiet else None  # None: unless standard error is a terminal
    with tqdm(total=100, leave=False, disable=hidden, bar_format=BAR) as bar:

        def advance(share: float) -> None:
            bar.update(100 * share - bar.n)
            report_wait(share)

        result = restore_photo(
            job.photo, photo, settings, strength=options.strength, progress=advance
        )
    if options.report is not None or options.show:
        _report(job, photo, result, options)
    written = result.trusted or options.force
    if written:
        chosen = {"strength": options.strength, "verdict": result.verdict}
        pixels = offered(photo, result, strength=options.strength)
        write_photo(job.output, finished(photo, pixels, network.name, **chosen))
        voice.say(f"{job.output}: {describe(result)}.")
    else:
        voice.say(
            f"{job.photo}: left unchanged: {result.verdict}. "
            "Use --force to write the result anyway."
        )
    return Outcome(
        input=voice.called(str(job.photo)),
        output=voice.called(str(job.output)),
        state=DEBLURRED if written else UNCHANGED,
        model=network.name,
        written=written,
        reason="" if written else result.verdict,
        seconds=round(time.monotonic() - begun, 3),
        lost=lost,
        **findings(result),
    )


def _report_path(job: Job, options: argparse.Namespace) -> Path:
    name = job.photo.name
    while len(os.fsencode(name)) > LONGEST_NAME - len(REPORT):
        name = name[:-1]
    return options.report / f"{name}{REPORT}"


def _report(job: Job, photo: Photo, result: Any, options: argparse.Namespace) -> None:
    from PIL import Image

    from deblur_jax.cli.report import draw_report

    board = draw_report(job.photo.name, photo, result)
    if options.report is not None:
        write_photo(_report_path(job, options), Photo(board.astype("float32") / 255))
    if options.show:
        Image.fromarray(board).show()


if __name__ == "__main__":
    sys.exit(main())
