"""Where units run: worker processes of this machine, or those of a Dask cluster, behind one interface.

Both are `concurrent.futures.Executor`. Each call runs in a worker process of its own kind
(`reproductions.harness.child`), which can be killed: that is what makes a time limit and the death of a
worker an exception of one future, and leaves all others alone.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any, BinaryIO

from reproductions.harness.child import read_frame, write_frame
from reproductions.harness.units import HarnessError

OnMessage = Callable[[Any], None]
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
_TAIL_BYTES = 2000


class UnitTimeoutError(TimeoutError):
    """A call took longer than it may; its worker was killed."""


class WorkerDiedError(RuntimeError):
    """The worker process ended in the middle of a call."""


class RemoteError(Exception):
    """Cause of an exception that came out of a worker: carries the traceback as text."""

    def __str__(self) -> str:
        return "\n" + str(self.args[0])


class ClusterError(HarnessError):
    """A Dask cluster cannot be used; the message is one line for the user."""


def default_jobs() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Worker:
    """One worker process, started on the first call and again after each death.

    Parameters
    ----------
    threads
        Threads that numerical libraries may use in it.
    """

    def __init__(self, threads: int = 1) -> None:
        self._threads = threads
        self._process: subprocess.Popen[bytes] | None = None
        self._stderr: BinaryIO | None = None
        self._lock = threading.Lock()
        self._closed = False

    def call(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
        timeout: float | None = None,
        on_message: OnMessage | None = None,
    ) -> Any:
        """Run ``function(*args, **kwargs)`` in the process and return what it returns.

        Raises
        ------
        UnitTimeoutError
            After ``timeout`` seconds.
        WorkerDiedError
            If the process ends before it answers.
        Exception
            Whatever the function raised, with the worker's traceback as its cause.
        """
        frame = pickle.dumps((function, args, kwargs or {}))
        process = self._ready()
        expired = threading.Event()

        def expire() -> None:
            expired.set()
            process.kill()

        timer = threading.Timer(timeout, expire) if timeout is not None else None
        if timer is not None:
            timer.daemon = True
            timer.start()
        try:
            answer = self._exchange(process, frame, on_message)
        finally:
            if timer is not None:
                timer.cancel()
                # A timer that has already fired must not outlive this call: the next one has the same
                # process.
                timer.join()
        if answer is None:
            code = process.wait()
            tail = self._tail()
            self._discard()
            if expired.is_set():
                raise UnitTimeoutError(f"no result after {timeout:g} s: stopped")
            raise WorkerDiedError(f"worker process died ({_death(code)}){tail}")
        if expired.is_set():
            self._discard()
        if answer[0] == "error":
            raise answer[1] from RemoteError(answer[2])
        return answer[1]

    def kill(self) -> None:
        """End the process at once; a call in progress raises `WorkerDiedError`, and later calls do too."""
        with self._lock:
            self._closed = True
            if self._process is not None:
                self._process.kill()

    def close(self) -> None:
        """End the idle process and free its pipes."""
        with self._lock:
            self._closed = True
        self._discard()

    def _ready(self) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._closed:
                raise WorkerDiedError("worker process is closed")
            if self._process is None:
                self._process = self._start()
            return self._process

    def _start(self) -> subprocess.Popen[bytes]:
        environment = dict(os.environ)
        environment.update(dict.fromkeys(_THREAD_VARIABLES, str(self._threads)))
        # The worker must find the modules that this process finds, in the same order.
        environment["PYTHONPATH"] = os.pathsep.join(os.path.abspath(entry) for entry in sys.path)
        stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed in _discard
        self._stderr = stderr
        return subprocess.Popen(
            [sys.executable, "-m", "reproductions.harness.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=environment,
        )

    def _exchange(
        self, process: subprocess.Popen[bytes], frame: bytes, on_message: OnMessage | None
    ) -> tuple[Any, ...] | None:
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            write_frame(process.stdin, frame)  # type: ignore[arg-type]
        while (reply := read_frame(process.stdout)) is not None:  # type: ignore[arg-type]
            answer: tuple[Any, ...] = pickle.loads(reply)
            if answer[0] != "message":
                return answer
            if on_message is not None:
                on_message(answer[1])
        return None

    def _tail(self) -> str:
        """Return the last lines that the worker wrote: a fatal error's own words."""
        if self._stderr is None:
            return ""
        size = self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, size - _TAIL_BYTES))
        text = self._stderr.read().decode(errors="replace").strip()
        return f"; its last output: {text}" if text else ""

    def _discard(self) -> None:
        with self._lock:
            process, self._process = self._process, None
            stderr, self._stderr = self._stderr, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with contextlib.suppress(BrokenPipeError):
                        pipe.close()
        if stderr is not None:
            stderr.close()


def _death(code: int) -> str:
    if code >= 0:
        return f"exit status {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"{name}, often a lack of memory" if name == "SIGKILL" else name


class UnitExecutor(Executor):
    """A `concurrent.futures.Executor` with a time limit and messages for each call.

    Attributes
    ----------
    slots
        How many calls can run at once.
    """

    slots: int = 1

    def call(
        self,
        function: Callable[..., Any],
        /,
        *args: Any,
        timeout: float | None = None,
        on_message: OnMessage | None = None,
        **kwargs: Any,
    ) -> Future[Any]:
        """Schedule ``function(*args, **kwargs)`` with a time limit; ``on_message`` gets what it emits."""
        raise NotImplementedError

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Schedule ``fn(*args, **kwargs)`` without a limit."""
        return self.call(fn, *args, **kwargs)

    def kill(self) -> None:
        """Stop what runs and drop what waits, without waiting for either."""
        self.shutdown(wait=False, cancel_futures=True)


class ProcessExecutor(UnitExecutor):
    """Worker processes on this machine, each started by a fresh interpreter and used for many calls.

    Parameters
    ----------
    jobs
        Number of workers; 1 runs the calls one after another in the order of submission.
    threads
        Threads of numerical libraries in each worker.
    """

    def __init__(self, jobs: int | None = None, threads: int = 1) -> None:
        self.slots = default_jobs() if jobs is None else jobs
        if self.slots < 1:
            raise ValueError(f"jobs must be at least 1, got {jobs}")
        self._pool = ThreadPoolExecutor(self.slots, thread_name_prefix="unit")
        self._threads = threads
        self._local = threading.local()
        self._workers: list[Worker] = []
        self._lock = threading.Lock()

    def call(
        self,
        function: Callable[..., Any],
        /,
        *args: Any,
        timeout: float | None = None,
        on_message: OnMessage | None = None,
        **kwargs: Any,
    ) -> Future[Any]:
        """Schedule a call; the limit counts from its start, not from its submission."""
        return self._pool.submit(self._call, function, args, kwargs, timeout, on_message)

    def _call(self, function: Callable[..., Any], args: Any, kwargs: Any, timeout: Any, on_message: Any) -> Any:
        worker = getattr(self._local, "worker", None)
        if worker is None:
            worker = self._local.worker = Worker(self._threads)
            with self._lock:
                self._workers.append(worker)
        return worker.call(function, args, kwargs, timeout, on_message)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls; with ``wait`` let those taken finish, then end the workers."""
        self._pool.shutdown(wait=wait, cancel_futures=cancel_futures)
        with self._lock:
            workers = list(self._workers)
        for worker in workers:
            if wait:
                worker.close()

    def kill(self) -> None:
        """Stop the workers at once and cancel what waits."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            workers = list(self._workers)
        for worker in workers:
            worker.kill()
        self._pool.shutdown(wait=True)
        for worker in workers:
            worker.close()


def call_on_cluster(
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    timeout: float | None,
    topic: str,
    call_id: str,
) -> Any:
    """Run one call in a process of its own on a Dask worker, which cannot stop a call of its own threads."""
    host = importlib.import_module("distributed").get_worker()
    worker = Worker()
    try:
        return worker.call(function, args, kwargs, timeout, lambda message: host.log_event(topic, (call_id, message)))
    finally:
        worker.close()


class DaskExecutor(UnitExecutor):
    """The workers of a Dask cluster that is already running.

    Parameters
    ----------
    address
        The scheduler, for example ``"tcp://10.0.0.1:8786"``.
    client
        A connected client to use in place of an address.

    Raises
    ------
    ClusterError
        If Dask is not installed, or nothing answers at the address, or the cluster has no workers.
    """

    def __init__(self, address: str | None = None, client: Any = None) -> None:
        self._own = client is None
        self._client = _connect(address) if client is None else client
        self.slots = sum(self._client.nthreads().values())
        if self.slots < 1:
            raise ClusterError(f"the Dask cluster at {address} has no workers")
        self._executor = self._client.get_executor(pure=False, retries=0)
        self._topic = f"evidence-{uuid.uuid4().hex}"
        self._listeners: dict[str, OnMessage] = {}
        self._client.subscribe_topic(self._topic, self._dispatch)

    def call(
        self,
        function: Callable[..., Any],
        /,
        *args: Any,
        timeout: float | None = None,
        on_message: OnMessage | None = None,
        **kwargs: Any,
    ) -> Future[Any]:
        """Schedule a call on the cluster; the limit counts from its start there."""
        call_id = uuid.uuid4().hex
        if on_message is not None:
            self._listeners[call_id] = on_message
        future: Future[Any] = self._executor.submit(
            call_on_cluster, function, args, kwargs, timeout, self._topic, call_id
        )
        future.add_done_callback(lambda _: self._listeners.pop(call_id, None))
        return future

    def _dispatch(self, event: Any) -> None:
        # The scheduler sends (time, message); all clients of the topic get the messages of all calls.
        call_id, message = event[1]
        listener = self._listeners.get(call_id)
        if listener is not None:
            listener(message)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls, and leave the cluster as it was found."""
        self._executor.shutdown(wait=wait and not cancel_futures)
        with contextlib.suppress(Exception):
            self._client.unsubscribe_topic(self._topic)
        if self._own:
            self._client.close()


def _connect(address: str | None) -> Any:
    try:
        client = importlib.import_module("distributed").Client
    except ImportError as error:
        raise ClusterError(
            "--dask needs the packages of the extra 'cluster': pip install 'vae-evidence[cluster]'"
        ) from error
    try:
        return client(address, timeout=10)
    except (OSError, ValueError, TimeoutError) as error:
        raise ClusterError(f"no Dask scheduler answers at {address}: {error}") from error
