"""Run a bundle's Jinja template where it can do no harm: in a process of its own, with limits.

A template is a program from whoever published the bundle. Jinja's sandbox keeps it from Python's internals
but not from using up time and memory (``'x' * 10**9``, ``'%999999999d' % 1``, nested loops), and neither can
be taken back within a process: one operation in C holds the thread until it is done. So the kernel enforces
the limits: processor time by a profiling timer, memory by an address space limit, both on a child that holds
nothing but Python and Jinja. It costs about 0.1 s to start, beside whatever else is loading, and a fraction
of a millisecond a prompt from then on; Jinja is never loaded into this process. Works on any thread.
The plainest templates, which can do none of that, take no process: see `edge_sdk.bundle.plain_jinja`.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import sys
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_sdk.bundle.plain_jinja import PROMPT_MAX_LETTERS, Beyond, PlainTemplate
from edge_sdk.errors import BundleError, ClosedError, MissingDependency, StorageError
from edge_sdk.late import Late

if TYPE_CHECKING:
    import signal
    import subprocess
else:
    signal, subprocess = Late("signal"), Late("subprocess")  # 0.6 MB, for templates that take a process

__all__ = ["JinjaTemplate"]

_SOURCE_MAX_BYTES = 256 << 10  # the longest chat templates in the wild have some 20 KiB
_WORKER = Path(__file__).with_name("jinja_worker.py")
# What was rendered is kept, for the same is asked about frame after frame: the process takes as long as a small model's
# prefill, a plain template a hundredth of a small bundle's first word. A template that looks at the clock or draws lots
# is asked every time.
_KEPT, _KEPT_MAX_LETTERS = 32, 8192
_MOODS = ("strftime_now", "random", "lipsum")


class JinjaTemplate:
    """A chat template in Jinja's language.

    Parameters
    ----------
    source : str
        The template.
    name : str
        The bundle's path, for errors.
    limit_s : float
        The processor time that rendering one prompt may take; ten times of it on the clock.
    memory_bytes : int
        What rendering may take beyond a bare Python with Jinja.

    Raises
    ------
    BundleError
        The template is too long.
    """

    def __init__(self, source: str, name: str, *, limit_s: float = 1.0, memory_bytes: int = 64 << 20) -> None:
        if len(source.encode()) > _SOURCE_MAX_BYTES:
            raise BundleError(
                f"{name} has a prompt template of {len(source.encode())} bytes.",
                why=f"{_SOURCE_MAX_BYTES} are the most; the longest known have a tenth of it.",
            )
        self._name = name
        self._limit_s = limit_s
        self._settings = {
            "path": sys.path,
            "source": source,
            "limit_s": limit_s,
            "memory_bytes": memory_bytes,
            "prompt_max_letters": PROMPT_MAX_LETTERS,
        }
        self._lock = threading.Lock()
        self._closed = False
        self._worker: _Worker | None = None
        self._plain: PlainTemplate | None = None
        with contextlib.suppress(Beyond):
            self._plain = PlainTemplate(source)
        self._keeps = not any(word in source for word in _MOODS)
        self._kept: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"<JinjaTemplate of {self._name}>"

    @property
    def takes_process(self) -> bool:
        """Whether it takes a process to render; plain templates take one at most for what they do not allow for."""
        return self._plain is None

    def start(self) -> None:
        """Start the worker process, where it takes one, without waiting for it: it is to be ready when asked."""
        with self._lock:
            if self.takes_process:
                self._running()

    def render(
        self, turns: Sequence[Mapping[str, Any]], *, add_generation_prompt: bool = True, **context: object
    ) -> str:
        """Return the prompt.

        Parameters
        ----------
        turns : sequence of mappings
            The conversation: ``role`` and ``content`` each.
        add_generation_prompt : bool
            End with what opens the model's answer.
        context : JSON values
            Further variables: ``bos_token``, ``tools``, ``enable_thinking``, ...

        Raises
        ------
        BundleError
            The template is wrong, refuses this conversation, or wants more time or memory than it may have.
        ClosedError
            The template was closed.
        """
        question = {"messages": list(turns), "add_generation_prompt": add_generation_prompt, **context}
        key = json.dumps(question)
        with self._lock:
            self._check_open()
            if key in self._kept:
                return self._kept[key]
            if self._plain is not None:
                with contextlib.suppress(Beyond):
                    told = json.loads(key)["messages"]  # as the process would get to know of them
                    return self._keep(key, self._plain.render(told, add_generation_prompt=bool(add_generation_prompt)))
            worker = self._running()
            try:
                # The first answer waits for Python and Jinja to load, which is not the template's fault.
                reply = worker.ask(question, wait_s=10 * self._limit_s + (0.0 if worker.answered else 60.0))
            except EOFError:
                reply = {"error": self._epitaph(worker), "kind": "limit"}
            except BaseException:
                self._stop()  # an answer that comes late must not become the answer to the next question
                raise
            if reply.get("kind") == "limit":
                self._stop()
        if "text" not in reply:
            raise self._error(reply)
        with self._lock:
            return self._keep(key, str(reply["text"]))

    def close(self) -> None:
        """End the worker process; harmless twice."""
        with self._lock:
            self._closed = True
            self._stop()

    def _keep(self, key: str, text: str) -> str:
        if self._keeps and len(key) + len(text) <= _KEPT_MAX_LETTERS:
            self._kept[key] = text
            if len(self._kept) > _KEPT:
                del self._kept[next(iter(self._kept))]  # the oldest
        return text

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError(f"The prompt template of {self._name} is closed.")

    def _running(self) -> _Worker:
        self._check_open()
        if self._worker is None:
            self._worker = _Worker(self._settings)
        return self._worker

    def _stop(self) -> None:
        if self._worker is not None:
            self._worker.end()
            self._worker = None

    def _epitaph(self, worker: _Worker) -> str:
        code = worker.exit_code()
        if code is None:
            return f"it did not answer within {10 * self._limit_s:g} s"
        if code == -signal.SIGPROF:
            return f"it took more than {self._limit_s:g} s of processor time"
        return f"the process that ran it ended with {code}"

    def _error(self, reply: Mapping[str, Any]) -> BundleError | MissingDependency:
        if reply.get("kind") == "missing":
            return MissingDependency(
                f"The prompt template of {self._name} needs the library jinja2.",
                why=str(reply.get("error")),
                fix="pip install jinja2",
            )
        # The words may be the template's own, and will be shown on terminals.
        told = "".join(letter if letter.isprintable() else " " for letter in str(reply.get("error")))
        return BundleError(
            f"The prompt template of {self._name} failed: {told}.",
            why="Templates come from the bundle's publisher and run with limits on time, memory and length.",
            fix="Ask the publisher for a bundle with a working template.",
        )


class _Worker:
    """The process that renders; it ends when its standard input does."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.answered = False
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-S", "-E", "-B", str(_WORKER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for us; the worker ends with its input
            )
        except OSError as error:
            raise StorageError(
                "No process could be started for the bundle's prompt template.", why=str(error)
            ) from error
        self._end = weakref.finalize(self, _end, self._process)
        with contextlib.suppress(BrokenPipeError):  # a process that died at once is noticed when it is asked
            self._send(settings)

    def ask(self, question: Mapping[str, Any], wait_s: float) -> dict[str, Any]:
        """Return the worker's answer; ``EOFError`` where it died or is silent for too long."""
        until_s = time.monotonic() + wait_s
        try:
            self._send(question)
        except BrokenPipeError as error:
            raise EOFError from error
        size = int.from_bytes(self._receive(4, until_s), "little")
        if size > 12 * PROMPT_MAX_LETTERS + 4096:  # JSON spells a character with twelve bytes at most
            raise EOFError
        reply: dict[str, Any] = json.loads(self._receive(size, until_s))
        self.answered = True
        return reply

    def exit_code(self) -> int | None:
        """Return how a process that fell silent ended, negative for a signal; ``None`` if it has not."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(timeout=1.0)
        return None

    def end(self) -> None:
        """End the process; there is nothing that it could lose."""
        self._end()

    def _send(self, value: Mapping[str, Any]) -> None:
        data = json.dumps(value).encode()
        stdin = self._process.stdin
        assert stdin is not None
        stdin.write(len(data).to_bytes(4, "little") + data)
        stdin.flush()

    def _receive(self, size: int, until_s: float) -> bytes:
        stdout = self._process.stdout
        assert stdout is not None
        data = bytearray()
        poll = select.poll()
        poll.register(stdout, select.POLLIN)
        while len(data) < size:
            ready = poll.poll(1000 * max(0.0, until_s - time.monotonic()))
            piece = os.read(stdout.fileno(), min(size - len(data), 1 << 16)) if ready else b""
            if not piece:
                raise EOFError
            data += piece
        return bytes(data)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
