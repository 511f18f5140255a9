"""What a board is: the nouns that every family's table is written in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from boards.accelerator import Accelerator
from boards.cluster import Cluster, common_features
from boards.errors import EdgeError

__all__ = [
    "GIB",
    "MIB",
    "CameraStack",
    "Cluster",
    "HeaderPin",
    "Port",
    "PowerMode",
    "Profile",
    "ThrottleSource",
    "common_features",
]

MIB = 1 << 20
GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class HeaderPin:
    """A pin of the header by its number on the board, and the GPIO line behind it.

    The chip is given by its label: its number depends on the kernel.
    """

    pin: int
    chip_label: str
    line: int


@dataclass(frozen=True, slots=True)
class Port:
    """A UART, an I2C or an SPI bus: the device node, where it comes out, and what must be done first."""

    device: str
    where: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class ThrottleSource:
    """A place that tells of throttling: a path pattern below the root folder, or a command, and what it tells."""

    where: str
    tells: str


@dataclass(frozen=True, slots=True)
class PowerMode:
    """A setting that trades speed for power, and how it is chosen."""

    name: str
    how: str


@dataclass(frozen=True, slots=True)
class CameraStack:
    """A way in which cameras are read, by the scheme of its addresses, and which those are; the best comes first."""

    backend: str
    reads: str


@dataclass(frozen=True, slots=True)
class Profile:
    """A kind of board, as data.

    Attributes
    ----------
    compatibles : tuple of str
        Names that only this board gives as the first of ``/proc/device-tree/compatible``, without ``-super``.
        Empty where these names do not tell: such a board is known by its model alone.
    models : tuple of str
        Texts of ``/proc/device-tree/model``, without a trailing `` Rev x.y``.
    architecture : str
        As ``uname -m`` tells it on the usual system; "any" in profiles that stand for many machines.
    thermal_zones_mainline, thermal_zones_vendor : tuple of str
        ``type`` of the zones in ``/sys/class/thermal`` under either kernel.
    kernel_at_least, os_at_least : str
        The least that this SDK can work with.
    unsupported : str
        Why this SDK does not run here; empty where it does.
    unverified : tuple of str
        Fields that hold something no source has shown yet.
    sources : tuple of str
        Where the facts are from.
    """

    id: str
    name: str
    soc: str
    architecture: str
    compatibles: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    clusters: tuple[Cluster, ...] = ()
    ram_options_bytes: tuple[int, ...] = ()
    accelerators: tuple[Accelerator, ...] = ()
    gpio_chip_labels: tuple[str, ...] = ()
    header_pins: tuple[HeaderPin, ...] = ()
    uarts: tuple[Port, ...] = ()
    i2c_buses: tuple[Port, ...] = ()
    spi_buses: tuple[Port, ...] = ()
    thermal_zones_mainline: tuple[str, ...] = ()
    thermal_zones_vendor: tuple[str, ...] = ()
    throttle_sources: tuple[ThrottleSource, ...] = ()
    power_modes: tuple[PowerMode, ...] = ()
    cameras: tuple[CameraStack, ...] = ()
    kernel_at_least: str = ""
    os_at_least: str = ""
    unsupported: str = ""
    unverified: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a profile that says it has not verified what it does not have."""
        unknown = set(self.unverified) - {field.name for field in fields(self)}
        if unknown:
            raise EdgeError(
                f"The profile {self.id!r} calls unknown fields unverified: {', '.join(sorted(unknown))}.",
                fix="Name fields of boards.Profile there.",
            )

    @property
    def cores(self) -> int:
        """Count the cores of all clusters; 0 where it is not known."""
        return sum(cluster.count for cluster in self.clusters)

    @property
    def features(self) -> frozenset[str]:
        """Name the CPU features that every core has."""
        return common_features(self.clusters)

    @property
    def dot_product(self) -> bool:
        """Tell whether every core has the INT8 dot product (``asimddp``), which INT8 models gain from most."""
        return "asimddp" in self.features

    @property
    def thermal_zones(self) -> tuple[str, ...]:
        """Name the zones of either kernel, each once."""
        return tuple(dict.fromkeys(self.thermal_zones_mainline + self.thermal_zones_vendor))

    def header_pin(self, pin: int) -> HeaderPin:
        """Find the GPIO line behind a pin of the header.

        Raises
        ------
        EdgeError
            If there is no GPIO line behind that pin, or nobody has verified which.
        """
        by_number: Mapping[int, HeaderPin] = {each.pin: each for each in self.header_pins}
        if pin in by_number:
            return by_number[pin]
        if not by_number:
            raise EdgeError(
                f"Pin {pin} of {self.name} is not known: its header has not been verified.",
                fix="Name the GPIO chip by its label and the line by its number (gpioinfo lists both).",
            )
        raise EdgeError(
            f"Pin {pin} of {self.name} is no GPIO line.",
            why="It is power, ground or reserved, or the header does not reach that far.",
            fix=f"Use one of {', '.join(str(number) for number in sorted(by_number))}.",
        )

    def ram_option_bytes(self, usable_bytes: int) -> int | None:
        """Tell which RAM size this board was sold with, from what the kernel may use of it.

        The kernel never shows more than there is, so it is the smallest option that holds it;
        None for a size that is not in the table.
        """
        return min((option for option in self.ram_options_bytes if option >= usable_bytes > 0), default=None)
