"""The worker process: reads calls from standard input, runs them in order, answers on standard output.

Frames are a length (8 bytes, big-endian) and a pickle. Calls are ``(function, args, kwargs)``; answers are
``("message", value)``, ``("result", value)`` or ``("error", exception, traceback)``.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import pickle
import queue
import signal
import struct
import sys
import threading
import traceback
from typing import Any, BinaryIO

from reproductions.harness import channel

_LENGTH = struct.Struct(">Q")


def write_frame(stream: BinaryIO, payload: bytes) -> None:
    """Write one frame and flush it."""
    stream.write(_LENGTH.pack(len(payload)) + payload)
    stream.flush()


def read_frame(stream: BinaryIO) -> bytes | None:
    """Read one frame; None at the end of the stream, also when it ends inside a frame (the writer died)."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    payload = stream.read(length)
    return payload if len(payload) == length else None


def _feed(source: BinaryIO, calls: queue.SimpleQueue[bytes]) -> None:
    while (frame := read_frame(source)) is not None:
        calls.put(frame)
    # The parent closed the pipe or is dead: nobody waits for an answer, so leave at once, in the middle of a
    # unit too.
    os._exit(0)


def _answer(frame: bytes) -> bytes:
    try:
        function, args, kwargs = pickle.loads(frame)
        return pickle.dumps(("result", function(*args, **kwargs)))
    except BaseException as error:
        text = traceback.format_exc()
        try:
            # Some exceptions pickle but cannot be rebuilt: try both ways here, where it can still be mended.
            payload = pickle.dumps(("error", error, text))
            pickle.loads(payload)
        except Exception:
            payload = pickle.dumps(("error", RuntimeError(f"{type(error).__name__}: {error}"), text))
        return payload


def main() -> None:
    """Serve calls until the parent closes standard input."""
    source = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    # What a unit prints must not mix with the frames: standard output goes where standard error goes.
    os.dup2(2, 1)
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    # Ctrl-C reaches the whole process group; the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    faulthandler.enable()
    lock = threading.Lock()

    def send(payload: bytes) -> None:
        with lock, contextlib.suppress(BrokenPipeError):
            write_frame(answers, payload)

    def forward(message: Any) -> None:
        send(pickle.dumps(("message", message)))

    channel.open_sink(forward)
    calls: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_feed, args=(source, calls), daemon=True).start()
    while True:
        send(_answer(calls.get()))
        sys.stdout.flush()


if __name__ == "__main__":
    main()
