"""A cancel stops the run that goes on, and not one more begins: counted in runs, wherever it comes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from edge_sdk.errors import Cancelled
from edge_sdk.pipeline.answer import State
from edge_sdk.pipeline.generation import draw
from edge_sdk.pipeline.settings import Settings
from edge_sdk.runtime import Model, Run

MakeToy = Callable[..., Any]


def cancel_in_run(maker: Any, decoder: Any, number: int) -> None:
    """Cancel while the toy is in its run of that number, counted from now on."""
    end = len(maker.toy.calls) + number
    maker.toy.during = lambda: decoder.cancel() if len(maker.toy.calls) == end else None


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_cancel_within_a_prompt_ends_it_with_the_run_that_goes_on(toy: MakeToy, number: int) -> None:
    maker = toy(prefills=(4,))
    decoder = maker.decoder()
    cancel_in_run(maker, decoder, number)
    with pytest.raises(Cancelled):
        decoder.prefill([5] * 20)
    assert len(maker.toy.calls) == number
    assert decoder.position == 4 * (number - 1)


def test_a_cancel_within_a_step_ends_the_answer_with_it(toy: MakeToy) -> None:
    for verifies in ((), (4,)):
        maker = toy(period=3, verifies=verifies)
        decoder, state = maker.decoder(), State(())
        first = Settings().sampler.pick(decoder.prefill([3, 4, 5] * 3))
        cancel_in_run(maker, decoder, 2)
        before = len(maker.toy.calls)
        with pytest.raises(Cancelled):
            state.tokens.extend(draw(decoder, Settings(), state, first))
        assert len(maker.toy.calls) == before + 2


def test_a_cancel_while_a_run_waits_for_its_turn_keeps_it_from_beginning(toy: MakeToy) -> None:
    maker = toy()
    decoder = maker.decoder()

    @contextmanager
    def acquire(*_: object) -> Iterator[Any]:
        decoder.cancel()
        yield maker.toy

    decoder._acquire = acquire
    with pytest.raises(Cancelled):
        decoder.prefill([5] * 20)
    assert maker.toy.calls == []
    assert decoder.position == 0


def test_who_stops_a_run_as_it_begins_does_not_wait_for_itself(toy: MakeToy, monkeypatch: pytest.MonkeyPatch) -> None:
    # As a handler of a signal does that comes at that moment, in the very thread that runs.
    maker, ended = toy(), []
    decoder, begin = maker.decoder(), maker.toy._begin

    def begin_and_stop(run: Run) -> None:
        begin(run)
        run.cancel()

    def feed() -> None:
        with pytest.raises(Cancelled):
            decoder.prefill([5] * 20)
        ended.append(True)

    monkeypatch.setattr(maker.toy, "_begin", begin_and_stop)
    thread = threading.Thread(target=feed, daemon=True)
    thread.start()
    thread.join(10)
    assert ended


def is_held(model: Model) -> bool:
    """Say whether another thread would have to wait before it begins a run."""
    found: list[bool] = []

    def look() -> None:
        free = model._turn.acquire(blocking=False)
        found.append(not free)
        if free:
            model._turn.release()

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    return found[0]


def test_no_other_run_can_begin_while_one_is_stopped(toy: MakeToy, monkeypatch: pytest.MonkeyPatch) -> None:
    maker = toy()
    decoder, held, stop = maker.decoder(), [], maker.toy.cancel

    def note() -> None:
        held.append(is_held(maker.toy))
        stop()

    monkeypatch.setattr(maker.toy, "cancel", note)
    cancel_in_run(maker, decoder, 1)
    with pytest.raises(Cancelled):
        decoder.prefill([5] * 20)
    assert held == [True]
    assert not is_held(maker.toy)


def test_after_a_cancel_what_was_computed_is_still_good(toy: MakeToy) -> None:
    maker, prompt = toy(prefills=(4,)), [3, 4, 5, 6, 7, 8, 9, 3, 4, 4, 4, 5]
    decoder = maker.decoder()
    cancel_in_run(maker, decoder, 3)
    with pytest.raises(Cancelled):
        decoder.prefill(prompt)
    maker.toy.during = None
    decoder.start()
    assert int(decoder.prefill(prompt).argmax()) == maker.toy.say(prompt)
    assert decoder.recalled == 8
