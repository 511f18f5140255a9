"""Say what a server takes of MicroPython's heap, idle and after many requests of every kind. Runs in MicroPython."""

import gc

from bench import SESSION, Bench

from firmware_bridge.wire import number as n


def heap() -> int:
    gc.collect()
    return gc.mem_alloc()


def requests(bench, turn) -> None:
    bench.clock.now_us += 300_000
    for output in bench.parts.outputs.values():
        output.written.clear()
    bench.do(n.LEASE, {"ms": 1000})
    for command in range(18):
        bench.ask(command, {"off": 0, "name": "light", "from": 0, "most": 20, "job": turn})
        bench.ask(command, {"s": turn, "n": turn}, 2)
        bench.do(command, {"name": "heater", "value": 0.5, "axis": "z", "names": ["light"], "us": 1000, "ms": 900})
    bench.ask(0, {"off": 0, "data": bytes(300), "name": "/slot/a", "len": 600, "s": SESSION}, 2, n.FILE)
    bench.server.receive(b"\x06\x09junk" + bytes(200))


def main() -> None:
    bench = Bench(".")
    bench.open(1000)
    for turn in range(30):
        requests(bench, turn)
    before = heap()
    for turn in range(30, 130):
        requests(bench, turn)
    print("grown", heap() - before, bench.server.failures)


if __name__ == "__main__":
    main()
