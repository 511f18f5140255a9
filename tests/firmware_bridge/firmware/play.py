"""A scene for the server, told line by line: every interpreter is to tell the same. Runs in MicroPython, too."""

from binascii import crc32

from bench import CONFIG, Bench

from firmware_bridge.firmware.dictionary import encode
from firmware_bridge.wire import number as n


def play(tell, folder) -> None:
    bench = Bench(folder, start_us=0x3FFFFFFF - 500_000)

    def told(what, body) -> None:
        body.pop("why", None)  # words of the interpreter's may be in it
        body.pop("data", None)  # deflated by what the interpreter has
        body.pop("len", None)
        tell(f"{what} {encode({key: str(value) for key, value in body.items()})}")

    bench.parts.axes["x"].kept = 5
    told("hello", bench.ask(n.HELLO))
    told("dictionary", bench.ask(n.DICTIONARY, {"off": 0}))
    told("open", bench.open(2000))
    told("homes", bench.home())
    dice = 12345
    for _ in range(25):
        dice = (dice * 1103515245 + 12345) & 0x7FFFFFFF
        job = bench.do(n.MOVE, {"axis": "x", "by": (dice % 4000 - 1900) / 10})
        if "job" not in job:
            told("refused", job)
            continue
        told("moved", bench.finish(job["job"]))
    told("watch", bench.do(n.WATCH, {"names": ["temperature", "door", "x"], "us": 3000}))
    for turn in range(20):
        bench.parts.sensors["temperature"].value = 20 + turn / 4
        bench.parts.sensors["door"].broken = turn % 3 == 0
        bench.pass_us(3000)
    told("readings", bench.ask(n.READINGS, {"from": 0, "most": 100}))
    bench.parts.sensors["temperature"].measured = (750_000, 375_000)
    told("read", bench.ask(n.READ_VALUE, {"name": "temperature"}))
    bench.pass_us(3000)
    told("readings", bench.ask(n.READINGS, {"from": 60, "most": 100}))
    for name, value in (("heater", 0.25), ("heater", 7), ("lamp", [1, 2, 3]), ("lamp", 3), ("fan", 0), ("none", 1)):
        told(f"set {name}", bench.do(n.SET, {"name": name, "value": value}))
    told("old", bench.do(n.SET, {"name": "fan", "value": 1}, n=3))
    told("settled", bench.ask(n.SETTLE, {"s": 0xC0FFEE01, "n": bench.numbers[0], "of": "w"}, 2))
    wanted = dict(CONFIG)
    wanted["name"] = "another"
    data = encode(wanted).encode()
    bench.upload("/config.json", data)
    told("configured", bench.do(n.CONFIGURE, {"crc": crc32(data) & 0xFFFFFFFF}))
    told("hello", bench.ask(n.HELLO))
    bench.pass_us(6_000_000)
    told("late", bench.do(n.SET, {"name": "fan", "value": 0}))
    told("stop", bench.ask(n.STOP, {}, 2))
    told("file", bench.ask(n.FILE_HASH, {"name": "/config.json", "type": "sha256"}, 0, n.FILE))


if __name__ == "__main__":
    play(print, ".")
