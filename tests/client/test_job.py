"""A job from start to end with a backend that behaves, and with one that fails at every point."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from unitalker_blender.client.environment import BackendCommand
from unitalker_blender.client.errors import UniTalkerError
from unitalker_blender.client.job import MotionJob
from unitalker_blender.client.motion import Motion, load_motion
from unitalker_blender.client.protocol import AnimateRequest, RemapRequest, Result
from unitalker_blender.client.session import MAX_RESTARTS, BackendSession

LIMIT = 20.0  # seconds after which a job in these tests counts as hanging


@pytest.fixture
def session(command: BackendCommand) -> Iterator[BackendSession]:
    session = BackendSession(lambda: command)
    yield session
    session.close()


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    return lambda mode: monkeypatch.setenv("UNITALKER_FAKE", mode)


def drain(job: MotionJob) -> None:
    deadline = time.monotonic() + LIMIT
    while not job.step(0.05):
        assert time.monotonic() < deadline, f"hangs: {job.state}"


def run(session: BackendSession, sound: Path, **settings: object) -> Motion:
    """One whole job."""
    job = MotionJob(session, AnimateRequest(audio=str(sound), **settings))
    try:
        job.start()
        drain(job)
        assert job.result
        return load_motion(Path(job.result.path))
    finally:
        job.close()


def begin(session: BackendSession, sound: Path) -> MotionJob:
    """A job that the backend works on."""
    job = MotionJob(session, AnimateRequest(audio=str(sound)))
    job.start()
    deadline = time.monotonic() + LIMIT
    while job.fraction < 0.5:
        assert not job.step(0.05)
        assert time.monotonic() < deadline
    return job


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_motion_arrives_and_the_process_is_used_again(session: BackendSession, make_sound) -> None:
    first = run(session, make_sound(1.0), fps=24.0)
    pid = session.pid
    second = run(session, make_sound(0.5), fps=30000 / 1001)
    assert first.values.shape == (24, 51)
    assert (second.fps, len(second.values)) == (30000 / 1001, 15)
    assert session.pid == pid
    assert "ready" in session.status()


def test_progress_only_grows_and_ends_with_the_result(session: BackendSession, make_sound) -> None:
    job = MotionJob(session, AnimateRequest(audio=str(make_sound(0.2))))
    job.start()
    seen = [job.fraction]
    while not job.step(0.05):
        seen.append(job.fraction)
    job.close()
    assert seen == sorted(seen)
    assert job.state == "done"


def animate_once(session: BackendSession, sound: Path) -> Result:
    job = MotionJob(session, AnimateRequest(audio=str(sound)))
    job.start()
    drain(job)
    job.close()
    assert job.result
    return job.result


def test_take_is_directed_again_without_its_sound(session: BackendSession, make_sound) -> None:
    take = animate_once(session, make_sound(1.0)).take
    rig = {"convention": None, "targets": [{"target": "Mouth A", "source": "jawOpen"}]}
    job = MotionJob(session, RemapRequest(take, fps=50.0, direction={"intensity": 0.5}, rig=rig))
    job.start()
    assert job.finish(LIMIT)
    assert job.result and job.result.take == take
    motion = load_motion(Path(job.result.path))
    job.close()
    assert (motion.names, motion.values.shape) == (("Mouth A",), (50, 1))
    assert motion.values.max() == pytest.approx(0.5, abs=0.01)


def test_answer_is_taken_when_it_comes_and_not_at_the_next_tick(session: BackendSession, make_sound) -> None:
    take = animate_once(session, make_sound(0.2)).take
    steps = 0
    job = MotionJob(session, RemapRequest(take))
    job.start()
    while not job.step(LIMIT):
        steps += 1
    job.close()
    # One step sends, and each further one ends with news: none of them waits for the clock.
    assert steps <= 2


def test_finish_gives_up_at_its_time_and_the_job_goes_on(session, make_sound, fake) -> None:
    fake("slow")
    job = begin(session, make_sound(0.2))
    assert not job.finish(0.05)
    assert job.state == "running"
    job.cancel()
    assert job.finish(LIMIT)
    job.close()


def test_take_that_is_not_kept_any_more_is_said(session, make_sound, fake) -> None:
    fake("forgetful")
    take = animate_once(session, make_sound(0.2)).take
    job = MotionJob(session, RemapRequest(take))
    job.start()
    with pytest.raises(UniTalkerError) as caught:
        drain(job)
    job.close()
    assert caught.value.code == "take.missing"


def test_nothing_stays_in_the_temporary_folder(session, make_sound, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = set(tmp_path.iterdir())
    run(session, make_sound(0.2))
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("mode", "code", "text"),
    [
        ("die_before_hello", "backend.not_started", "pip install"),
        ("noise_before_hello", "protocol.bad_event", "Welcome"),
        ("unknown_event", "protocol.bad_event", "good_morning"),
        ("wrong_protocol", "protocol.version", "protocol 99"),
        ("no_engines", "engine.missing", "pip install"),
        ("die_after_hello", "backend.died", "the fake backend gives up"),
        ("die_on_request", "backend.died", "exit code 3"),
        ("die_midway", "backend.died", "the fake backend gives up"),
        ("die_before_result", "backend.died", "exit code 3"),
        ("garbage_midway", "protocol.bad_event", "Loading weights"),
        ("refuse", "audio.unreadable", "not a sound file"),
        ("nan", "result.unreadable", "not numbers"),
        ("truncated", "result.unreadable", "motion.npz"),
    ],
)
def test_each_failure_is_told_and_the_next_job_works(session, make_sound, fake, mode, code, text) -> None:
    fake(mode)
    with pytest.raises(UniTalkerError) as caught:
        run(session, make_sound(0.2))
    assert caught.value.code == code
    assert text in str(caught.value)
    session.close()
    fake("")
    assert len(run(session, make_sound(0.2)).values) == 5


def test_backend_that_says_nothing_is_given_up(command, make_sound, fake) -> None:
    fake("silent")
    session = BackendSession(lambda: command, hello_timeout=0.3)
    job = MotionJob(session, AnimateRequest(audio=str(make_sound(0.2))))
    job.start()
    pid = session.pid
    with pytest.raises(UniTalkerError, match="did not answer"):
        drain(job)
    job.close()
    assert pid and not is_alive(pid)


def test_file_that_is_no_program_is_named(make_sound, awkward) -> None:
    session = BackendSession(lambda: BackendCommand(make_sound(0.1), awkward))
    with pytest.raises(UniTalkerError, match="cannot be run") as caught:
        run(session, make_sound(0.2))
    assert caught.value.code == "backend.not_started"


def test_cancel_ends_the_job_and_keeps_the_backend(session, make_sound, fake) -> None:
    fake("slow")
    job = begin(session, make_sound(0.2))
    pid = session.pid
    job.cancel()
    drain(job)
    job.close()
    assert (job.state, job.result) == ("cancelled", None)
    assert session.pid == pid


def test_cancel_before_hello_ends_at_once(session, make_sound, fake) -> None:
    fake("silent")
    job = MotionJob(session, AnimateRequest(audio=str(make_sound(0.2))))
    job.start()
    job.cancel()
    assert job.step()
    assert job.state == "cancelled"
    job.close()
    session.kill()


def test_backend_that_ignores_cancel_is_killed(session, make_sound, fake, monkeypatch) -> None:
    monkeypatch.setattr("unitalker_blender.client.job.CANCEL_GRACE", 0.2)
    fake("deaf")
    job = begin(session, make_sound(0.2))
    pid = session.pid
    job.cancel()
    drain(job)
    job.close()
    assert job.state == "cancelled"
    assert pid and not is_alive(pid)
    fake("")
    assert len(run(session, make_sound(0.2)).values) == 5


def test_job_given_up_does_not_disturb_the_next(session, make_sound, fake) -> None:
    fake("slow")
    begin(session, make_sound(0.2)).close()
    second = begin(session, make_sound(0.2))
    second.cancel()
    drain(second)
    assert second.state == "cancelled"
    second.close()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_killed_in_the_middle_costs_one_job(session, make_sound, fake) -> None:
    fake("slow")
    job = begin(session, make_sound(0.2))
    os.kill(session.pid, signal.SIGKILL)
    with pytest.raises(UniTalkerError, match="SIGKILL"):
        drain(job)
    job.close()
    assert "when needed" in session.status()
    fake("")
    assert len(run(session, make_sound(0.2)).values) == 5
    assert "ready" in session.status()


def test_crashing_backend_is_restarted_twice_in_five_minutes(command, make_sound, fake) -> None:
    now = [0.0]
    session = BackendSession(lambda: command, clock=lambda: now[0])
    fake("die_on_request")
    for _ in range(1 + MAX_RESTARTS):
        with pytest.raises(UniTalkerError) as caught:
            run(session, make_sound(0.2))
        assert caught.value.code == "backend.died"
        now[0] += 10
    with pytest.raises(UniTalkerError) as caught:
        run(session, make_sound(0.2))
    assert caught.value.code == "backend.unstable"
    fake("")
    now[0] += 300
    assert len(run(session, make_sound(0.2)).values) == 5
    session.close()


def test_checking_the_backend_allows_another_try(session, make_sound, fake) -> None:
    fake("die_on_request")
    for _ in range(2 + MAX_RESTARTS):
        with pytest.raises(UniTalkerError):
            run(session, make_sound(0.2))
    fake("")
    session.forgive()
    assert len(run(session, make_sound(0.2)).values) == 5


def test_other_python_in_the_preferences_means_another_process(command, make_sound, tmp_path) -> None:
    link = tmp_path / "python"
    link.symlink_to(sys.executable)
    commands = [command, BackendCommand(Path(os.path.realpath(sys.executable)), command.root)]
    session = BackendSession(lambda: commands[0])
    session.start()
    first = session.pid
    commands.pop(0)
    session.start()
    assert first and not is_alive(first)
    assert session.pid != first
    session.close()


def test_close_ends_the_process(session, make_sound) -> None:
    run(session, make_sound(0.2))
    pid = session.pid
    session.close()
    assert pid and not is_alive(pid)
    assert "when needed" in session.status()


def test_close_ends_a_process_that_does_not_listen(session, make_sound, fake, monkeypatch) -> None:
    monkeypatch.setattr("unitalker_blender.client.process.END_GRACE", 0.2)
    fake("deaf")
    job = begin(session, make_sound(0.2))
    pid = session.pid
    session.close()
    assert pid and not is_alive(pid)
    with pytest.raises(UniTalkerError, match="ended while it worked"):
        drain(job)
    job.close()


def test_object_arrays_in_a_result_are_refused(tmp_path) -> None:
    path = tmp_path / "motion.npz"
    np.savez(path, values=np.array([{}]), names=["a"], fps=25.0, unit="weight", annotation="x")
    with pytest.raises(UniTalkerError) as caught:
        load_motion(path)
    assert caught.value.code == "result.unreadable"
