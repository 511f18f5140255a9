"""The process that renders Jinja templates, run as a script; what suits a turn to a template is asked elsewhere, too.

Both ways go messages of JSON, four bytes of length in front: first the settings, then one question a prompt.
"""

from __future__ import annotations

import json
import sys
from typing import Any, BinaryIO


def receive(stream: BinaryIO) -> dict[str, Any]:
    """Return the next message; ends the process where there is none."""
    head = stream.read(4)
    if len(head) < 4:
        raise SystemExit(0)
    message: dict[str, Any] = json.loads(stream.read(int.from_bytes(head, "little")))
    return message


def send(stream: BinaryIO, message: dict[str, Any]) -> None:
    """Write a message."""
    data = json.dumps(message).encode()
    stream.write(len(data).to_bytes(4, "little") + data)
    stream.flush()


def make_environment() -> Any:
    """Return Jinja's sandbox with what chat templates use, set up as Hugging Face and LiteRT-LM do."""
    from datetime import datetime

    import jinja2
    from jinja2 import nodes
    from jinja2.ext import Extension, loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """``{% generation %}`` marks the model's words for training; here it only stands around them."""

        tags = {"generation"}  # noqa: RUF012

        def parse(self, parser: Any) -> Any:
            next(parser.stream)
            return nodes.Scope(parser.parse_statements(("name:endgeneration",), drop_needle=True))

    def refuse(message: str) -> None:
        raise jinja2.TemplateError(message)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        extensions=[loopcontrols, Generation],
    )
    environment.globals["raise_exception"] = refuse
    environment.globals["strftime_now"] = lambda layout: datetime.now().strftime(layout)
    environment.filters["tojson"] = lambda value, indent=None: json.dumps(value, ensure_ascii=False, indent=indent)
    # LiteRT-LM's engine takes what is not defined for none, and templates written for it rely on that.
    environment.tests["none"] = lambda value: value is None or isinstance(value, jinja2.Undefined)
    return environment


def wants_parts(template: Any) -> bool:
    """Say whether a template takes contents only as lists of parts, as LiteRT-LM finds out."""

    def shows(content: Any) -> bool:
        try:
            text = template.render(messages=[{"role": "user", "content": content}], add_generation_prompt=False)
        except Exception:
            return False
        return "edge-sdk-probe" in text

    return not shows("edge-sdk-probe") and shows([{"type": "text", "text": "edge-sdk-probe"}])


def suited(turn: dict[str, Any], parts: bool) -> dict[str, Any]:
    """Return a turn with its content as the template takes it: as parts, or as text where it is only that."""
    content = turn.get("content")
    if parts and isinstance(content, str):
        return {**turn, "content": [{"type": "text", "text": content}]}
    if not parts and isinstance(content, list) and len(content) == 1 and content[0].get("type") == "text":
        return {**turn, "content": content[0]["text"]}
    return turn


def render(template: Any, parts: bool, question: dict[str, Any], most_letters: int) -> dict[str, Any]:
    """Return the prompt, or what is wrong."""
    question["messages"] = [suited(turn, parts) for turn in question["messages"]]
    pieces = []
    size = 0
    for piece in template.generate({"bos_token": "", "eos_token": "", **question}):
        size += len(piece)
        if size > most_letters:
            return {"error": f"it wrote more than {most_letters} letters", "kind": "limit"}
        pieces.append(piece)
    return {"text": "".join(pieces)}


def limit_memory(beyond_bytes: int) -> None:
    """Allow so much memory beyond what is in use now, and no core dump of it."""
    import resource

    with open("/proc/self/statm") as file:  # noqa: PTH123
        used_bytes = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used_bytes + beyond_bytes,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> None:
    """Answer questions until there are none."""
    import signal  # here: who asks for `suited` does without

    questions, answers = sys.stdin.buffer, sys.stdout.buffer
    settings = receive(questions)
    sys.path[:] = settings["path"]
    template = None
    parts = False
    while True:
        question = receive(questions)
        try:
            if template is None:
                environment = make_environment()
                limit_memory(settings["memory_bytes"])
                signal.setitimer(signal.ITIMER_PROF, settings["limit_s"])
                template = environment.from_string(settings["source"])
                parts = wants_parts(template)
            signal.setitimer(signal.ITIMER_PROF, settings["limit_s"])
            reply = render(template, parts, question, settings["prompt_max_letters"])
        except ImportError as error:
            reply = {"error": str(error), "kind": "missing"}
        except MemoryError:
            reply = {"error": "it wants more memory than it may have", "kind": "limit"}
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {error}"[:1000], "kind": "template"}
        send(answers, reply)
        signal.setitimer(signal.ITIMER_PROF, 0)


if __name__ == "__main__":
    main()
