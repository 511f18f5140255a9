"""The loader with made-up models: who is opened when, who gives way, and what threads see of it."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable

import pytest

from edge_sdk.errors import ClosedError, ModelError, OverBudget
from edge_sdk.memory import Loader, Part


class Made:
    """Stands for a model; notes that it was opened and closed."""

    def __init__(self, name: str, events: list[str]) -> None:
        self.name, self._events = name, events
        events.append(f"open {name}")

    def close(self) -> None:
        self._events.append(f"close {self.name}")


class Shelf:
    """Parts of 10 bytes each; those named s... and l... are of the groups s and l where that is wanted."""

    def __init__(self, *, grouped: bool = False) -> None:
        self.events: list[str] = []
        self._grouped = grouped
        self.slow: dict[str, threading.Event] = {}

    def find(self, name: str) -> Part:
        def opened() -> Made:
            if name in self.slow:
                assert self.slow[name].wait(10)
            if name == "bad":
                raise ModelError("It is no model.")
            return Made(name, self.events)

        size = 100 if name == "huge" else 10
        return Part(opened, size, name[0] if self._grouped else "")  # type: ignore[arg-type]

    def loader(self, room: int | None = None) -> Loader:
        return Loader(self.find, room, trim=lambda: self.events.append("trim"))


class Owner:
    """Binds something to a model, and is told when to let go."""

    def __init__(self) -> None:
        self.told = 0

    def forget(self) -> None:
        self.told += 1


def use(loader: Loader, *names: str) -> None:
    for name in names:
        with loader.acquire(name):
            pass


def in_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_a_part_is_opened_once_and_stays_while_there_is_room() -> None:
    shelf = Shelf()
    with shelf.loader(30) as loader:
        use(loader, "a", "b", "a", "c", "a")
        assert shelf.events == ["open a", "open b", "open c"]
        assert loader.open_parts == ("b", "c", "a")
    assert shelf.events[3:] == ["close a", "close b", "close c", "trim"]


def test_the_longest_unused_gives_way_first_and_its_memory_goes_back() -> None:
    shelf = Shelf()
    with shelf.loader(30) as loader:
        use(loader, "a", "b", "c", "a", "d")
        assert shelf.events[3:] == ["close b", "trim", "open d"]
        assert loader.open_parts == ("c", "a", "d")


def test_no_more_gives_way_than_has_to() -> None:
    shelf = Shelf()
    with shelf.loader(45) as loader:
        use(loader, "a", "b", "c", "d", "e")
        assert loader.open_parts == ("b", "c", "d", "e")


def test_what_is_in_use_never_gives_way() -> None:
    shelf = Shelf()
    with shelf.loader(20) as loader, loader.acquire("a"):
        use(loader, "b", "c", "b")
        assert "close a" not in shelf.events
        assert "a" in loader.open_parts


def test_who_holds_too_much_already_is_refused_with_the_figures_and_nothing_is_closed_for_it() -> None:
    shelf = Shelf()
    with shelf.loader(30) as loader:
        use(loader, "c")
        with (
            loader.acquire("a"),
            loader.acquire("b"),
            loader.acquire("d"),
            pytest.raises(OverBudget, match="10 bytes of 30 bytes, of which 30 bytes are in use"),
        ):
            loader.acquire("e").__enter__()
        use(loader, "e")


def test_a_part_larger_than_all_the_room_is_refused_and_the_others_stay() -> None:
    shelf = Shelf()
    with shelf.loader(30) as loader:
        use(loader, "a")
        with pytest.raises(OverBudget, match="100 bytes of 30 bytes"):
            use(loader, "huge")
        assert loader.open_parts == ("a",)


def test_two_threads_that_ask_at_once_get_one_load() -> None:
    shelf = Shelf()
    gate = shelf.slow["a"] = threading.Event()
    with shelf.loader(30) as loader:
        found: list[object] = []

        def ask() -> None:
            with loader.acquire("a") as model:
                found.append(model)

        threads = [in_thread(ask) for _ in range(4)]
        gate.set()
        for thread in threads:
            thread.join(10)
        assert len(found) == 4
        assert len(set(map(id, found))) == 1
        assert shelf.events.count("open a") == 1


def test_a_load_that_fails_leaves_nothing_behind_and_each_who_asks_is_told() -> None:
    shelf = Shelf()
    gate = shelf.slow["bad"] = threading.Event()
    with shelf.loader(30) as loader:
        errors: list[Exception] = []

        def ask() -> None:
            try:
                use(loader, "bad")
            except ModelError as error:
                errors.append(error)

        threads = [in_thread(ask) for _ in range(3)]
        gate.set()
        for thread in threads:
            thread.join(10)
        assert len(errors) == 3
        assert loader.open_parts == ()


def test_a_thread_with_nothing_in_hand_waits_for_room() -> None:
    shelf = Shelf()
    with shelf.loader(10) as loader:
        with loader.acquire("a"):
            waiting = in_thread(lambda: use(loader, "b"))
            use(loader, "a")
            assert "open b" not in shelf.events
        waiting.join(10)
        assert not waiting.is_alive()
        assert shelf.events == ["open a", "close a", "trim", "open b"]


def test_groups_take_turns_and_a_group_stays_together() -> None:
    shelf = Shelf(grouped=True)
    with shelf.loader() as loader:
        with loader.acquire("see"), loader.acquire("sight"):
            pass
        use(loader, "listen")
        assert shelf.events == ["open see", "open sight", "close see", "close sight", "trim", "open listen"]
        with loader.acquire("listen"), pytest.raises(OverBudget, match="takes turns with listen"):
            use(loader, "see")


def test_groups_that_threads_use_in_turns_never_meet_and_never_block_each_other() -> None:
    shelf = Shelf(grouped=True)
    loader = shelf.loader()
    together: list[tuple[str, ...]] = []

    def work(first: str, second: str) -> None:
        for _ in range(50):
            with loader.acquire(first), loader.acquire(second):
                together.append(tuple(sorted({name[0] for name in loader.open_parts})))

    threads = [in_thread(lambda: work("see", "sight")), in_thread(lambda: work("listen", "learn"))]
    for thread in threads:
        thread.join(30)
    assert len(together) == 100
    assert set(together) == {("s",), ("l",)}
    loader.close()


def test_whoever_is_bound_to_a_model_is_told_once_before_it_is_closed_and_need_not_live_for_it() -> None:
    shelf, one, other = Shelf(), Owner(), Owner()
    with shelf.loader(10) as loader:
        for _ in range(3):
            for owner in (one, other):
                with loader.acquire("a", owner.forget):
                    pass
        del owner, other
        gc.collect()
        use(loader, "b")
        assert one.told == 1
        use(loader, "a", "b")
        assert one.told == 1


def test_what_is_fetched_ahead_is_there_for_the_next_who_asks() -> None:
    shelf = Shelf()
    with shelf.loader(20) as loader:
        loader.prefetch("a").join(10)
        use(loader, "a")
        assert shelf.events == ["open a"]


def test_fetching_ahead_never_waits_and_never_complains() -> None:
    shelf = Shelf()
    with shelf.loader(10) as loader, loader.acquire("a"):
        for name in ("b", "huge", "bad"):
            thread = loader.prefetch(name)
            thread.join(10)
            assert not thread.is_alive()
        assert shelf.events == ["open a"]
    loader.prefetch("c").join(10)
    assert "open c" not in shelf.events


def test_idle_parts_can_be_dropped_at_will_but_for_some() -> None:
    shelf = Shelf()
    with shelf.loader() as loader:
        use(loader, "a", "b")
        with loader.acquire("c"):
            loader.drop_idle(keep=("b",))
            assert loader.open_parts == ("b", "c")


def test_nothing_is_to_be_had_of_a_closed_loader_and_closing_twice_is_harmless() -> None:
    shelf = Shelf()
    loader = shelf.loader()
    use(loader, "a")
    loader.close()
    loader.close()
    assert shelf.events == ["open a", "close a", "trim"]
    with pytest.raises(ClosedError):
        use(loader, "a")


def test_closing_waits_for_what_is_being_opened() -> None:
    shelf = Shelf()
    gate = shelf.slow["a"] = threading.Event()
    loader = shelf.loader()
    fetching = loader.prefetch("a")
    while not loader.open_parts:
        pass
    closing = in_thread(loader.close)
    gate.set()
    for thread in (fetching, closing):
        thread.join(10)
    assert shelf.events == ["open a", "close a", "trim"]


def test_a_lease_may_be_ended_by_another_thread_and_is_over_then() -> None:
    shelf = Shelf()
    with shelf.loader(10) as loader:
        lease = loader.acquire("a")
        lease.__enter__()
        failures: list[BaseException] = []

        def end() -> None:
            try:
                lease.__exit__(None, None, None)
            except BaseException as error:
                failures.append(error)

        in_thread(end).join(10)
        assert not failures
        use(loader, "b")  # neither is the room taken, nor does this thread count as one that uses something
        assert shelf.events == ["open a", "close a", "trim", "open b"]


def test_fetching_ahead_leaves_every_error_to_whoever_asks_for_it() -> None:
    def find(name: str) -> Part:
        raise ZeroDivisionError(name)

    with Loader(find) as loader:
        loader.prefetch("a").join(10)  # an error in a thread is a warning, and warnings are errors
        with pytest.raises(ZeroDivisionError):
            use(loader, "a")


def test_a_part_that_fails_to_close_keeps_no_other_open() -> None:
    shelf = Shelf()
    loader = shelf.loader()

    class Stuck(Made):
        def close(self) -> None:
            raise OSError("stuck")

    with loader.acquire("a"), loader.acquire("b"), loader.acquire("c"):
        loader._held["b"].model = Stuck("b", shelf.events)  # type: ignore[assignment]
    with pytest.raises(OSError, match="stuck"):
        loader.close()
    assert shelf.events[-3:] == ["close a", "close c", "trim"]
    assert loader.open_parts == ()
