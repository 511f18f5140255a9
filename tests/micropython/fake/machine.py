"""A fake of MicroPython's `machine`, for tests only: it writes down what is done to each pin."""

PINS = {}  # the newest of each number
LOG = []  # (what, pin or None, value)
REFUSED = ()  # numbers that no pin has
SPEED = 1  # of timers
TIMERS = (-1, 0)  # that there are


def on_reset():
    raise SystemExit("reset")


def reset():
    LOG.append(("reset", None, None))
    on_reset()


def unique_id():
    return b"\xe6\x61\x64\x08\x43\x21\x5a\x2c"


class Pin:
    IN, OUT, PULL_UP, PULL_DOWN = 0, 1, 1, 2

    def __init__(self, number, mode=-1, pull=-1, value=None):
        if number in REFUSED:
            raise ValueError("invalid pin")
        self.number, self.mode, self.pull = number, mode, pull
        self.level = 1 if mode == Pin.IN and pull == Pin.PULL_UP else 0
        PINS[number] = self
        if mode == Pin.OUT:
            self.value(value)

    def value(self, level=None):
        if level is None:
            return self.level
        self.level = level
        LOG.append(("pin", self.number, level))
        return None


class PWM:
    def __init__(self, pin, freq, duty_u16):
        if not 8 <= freq <= 62_500_000:
            raise ValueError("freq out of range")
        self.pin, self.freq = pin.number, freq
        self.duty_u16(duty_u16)

    def duty_u16(self, duty):
        LOG.append(("pwm", self.pin, duty))

    def deinit(self):
        LOG.append(("pwm off", self.pin, None))


class ADC:
    ATTN_11DB = 3
    VOLTS = {}  # by pin  # noqa: RUF012

    def __init__(self, pin, atten=0):
        self.pin, self.atten = pin.number, atten

    def read_u16(self):
        return int(ADC.VOLTS.get(self.pin, 0) / 3.3 * 65535)

    def read_uv(self):
        return int(ADC.VOLTS.get(self.pin, 0) * 1_000_000)


class DAC:
    def __init__(self, pin):
        self.pin = pin.number

    def write(self, value):
        LOG.append(("dac", self.pin, value))


class SoftI2C:
    CHIPS = {}  # address: registers, a bytearray  # noqa: RUF012

    def __init__(self, scl, sda, freq, timeout):
        self.scl, self.sda, self.freq, self.timeout = scl.number, sda.number, freq, timeout

    def readfrom_mem(self, address, register, count):
        if address not in SoftI2C.CHIPS:
            raise OSError(19)
        return bytes(SoftI2C.CHIPS[address][register : register + count])

    def writeto_mem(self, address, register, data):
        if address not in SoftI2C.CHIPS:
            raise OSError(19)
        SoftI2C.CHIPS[address][register : register + len(data)] = data


class WDT:
    def __init__(self, timeout):
        LOG.append(("watchdog", None, timeout))

    def feed(self):
        LOG.append(("fed", None, None))


class Timer:
    ONE_SHOT = 0

    def __init__(self, number=-1):
        if number not in TIMERS:
            raise ValueError("invalid Timer number")

    def init(self, mode, period, callback):
        import _thread
        import time

        import micropython

        def wait():
            time.sleep(period / 1000 / SPEED)
            micropython.schedule(callback, self)

        _thread.start_new_thread(wait, ())
