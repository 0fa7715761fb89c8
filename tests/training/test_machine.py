"""A run locks its folder, and stops on a signal."""

import os
import signal
import subprocess
import sys

import pytest

from deblur_jax.training.machine import StopRequest, alone_in


def test_a_folder_in_use_is_refused_and_its_process_named(tmp_path):
    with (
        alone_in(tmp_path),
        pytest.raises(ValueError, match=f"in use by another run .process {os.getpid()} on"),
        alone_in(tmp_path),
    ):
        pass
    with alone_in(tmp_path):  # free again
        pass


def test_the_lock_of_a_dead_run_does_not_block(tmp_path):
    code = (
        "import os, pathlib\n"
        "from deblur_jax.training.machine import alone_in\n"
        f"with alone_in(pathlib.Path({str(tmp_path)!r})):\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    assert (tmp_path / ".lock").read_text().startswith("process ")
    with alone_in(tmp_path):
        pass


def test_the_first_signal_requests_a_stop_and_the_second_acts_as_usual():
    before, interrupt = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with StopRequest() as stop:
        stop.save_before_exit()
        assert not stop.reached(1)
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.reached(2)
        assert signal.getsignal(signal.SIGTERM) == before
    assert signal.getsignal(signal.SIGINT) == interrupt  # ignored by jobs in the background


def test_sigterm_during_the_first_compilation_ends_cleanly():
    code = (
        "import hashlib\n"
        "from deblur_jax.training.machine import StopRequest\n"
        "with StopRequest():\n"
        "    print('begun', flush=True)\n"
        "    hashlib.pbkdf2_hmac('sha256', b'', b'', 10**9)\n"  # minutes in C, without the lock
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout.readline() == "begun\n"
        run.terminate()
        assert run.wait(20) == 0
        assert "Stopped before the first step; run the same command again." in run.stdout.read()
