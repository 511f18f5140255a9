from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from boards.telemetry import CgroupMemory, read_cgroup

Grow = Callable[[dict[str, str]], Path]
MB = 1_000_000
CGROUP2 = "31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
CGROUP1 = "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n"
UNIFIED = "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
NO_LIMIT_V1 = "9223372036854771712\n"


def v2(group: str, limit: str, used: int = 0, inactive: int = 0, active: int = 0, high: str = "max") -> dict[str, str]:
    folder = f"sys/fs/cgroup{group}"
    return {
        f"{folder}/memory.max": f"{limit}\n",
        f"{folder}/memory.high": f"{high}\n",
        f"{folder}/memory.current": f"{used}\n",
        f"{folder}/memory.stat": f"anon 4096\nfile 99\ninactive_file {inactive}\nactive_file {active}\nunevictable 0\n",
    }


def v1(group: str, limit: str, used: int = 0, inactive: int = 0, active: int = 0, above: str = "1") -> dict[str, str]:
    folder = f"sys/fs/cgroup/memory{group}"
    return {
        f"{folder}/memory.limit_in_bytes": f"{limit}\n",
        f"{folder}/memory.usage_in_bytes": f"{used}\n",
        f"{folder}/memory.use_hierarchy": f"{above}\n",
        f"{folder}/memory.stat": f"inactive_file 1\ntotal_inactive_file {inactive}\ntotal_active_file {active}",
    }


def process(membership: str, mounts: str) -> dict[str, str]:
    return {"proc/self/cgroup": membership, "proc/self/mountinfo": mounts}


class TestVersion2:
    def test_room_counts_the_file_pages_that_can_be_dropped(self, tree: Grow) -> None:
        root = tree(
            {**process("0::/edge\n", CGROUP2), **v2("/edge", "100000000", 90 * MB, inactive=30 * MB, active=20 * MB)}
        )
        assert read_cgroup(root) == CgroupMemory(2, "/sys/fs/cgroup/edge", 100 * MB, 90 * MB, 50 * MB, 60 * MB)

    def test_a_parent_with_less_room_is_the_one_that_matters(self, tree: Grow) -> None:
        root = tree(
            {
                **process("0::/user.slice/edge.scope\n", CGROUP2),
                **v2("/user.slice/edge.scope", "100000000", 10 * MB),
                **v2("/user.slice", "500000000", 480 * MB),
            }
        )
        found = read_cgroup(root)
        assert (found.path, found.room_bytes) == ("/sys/fs/cgroup/user.slice", 20 * MB)

    def test_a_parent_with_a_lower_limit_and_more_room_is_not(self, tree: Grow) -> None:
        root = tree({**process("0::/a/b\n", CGROUP2), **v2("/a/b", "90", 80), **v2("/a", "60", 10)})
        assert read_cgroup(root).room_bytes == 10

    def test_max_is_no_limit_and_the_groups_own_use_is_told(self, tree: Grow) -> None:
        root = tree({**process("0::/a/b\n", CGROUP2), **v2("/a/b", "max", 5 * MB), **v2("/a", "max", 9 * MB)})
        assert read_cgroup(root) == CgroupMemory(2, "/sys/fs/cgroup/a/b", None, 5 * MB, None, None)

    def test_the_lower_mark_from_which_the_kernel_slows_the_group_down_counts(self, tree: Grow) -> None:
        root = tree({**process("0::/a\n", CGROUP2), **v2("/a", "100", 10, high="50")})
        assert (read_cgroup(root).limit_bytes, read_cgroup(root).room_bytes) == (50, 40)

    def test_a_group_over_its_limit_has_no_room(self, tree: Grow) -> None:
        root = tree({**process("0::/a\n", CGROUP2), **v2("/a", "100", 130)})
        assert read_cgroup(root).room_bytes == 0

    def test_no_more_is_reclaimable_than_is_used(self, tree: Grow) -> None:
        root = tree({**process("0::/a\n", CGROUP2), **v2("/a", "100", 30, inactive=50)})
        assert (read_cgroup(root).reclaimable_bytes, read_cgroup(root).room_bytes) == (30, 100)

    def test_the_topmost_group_of_a_real_system_has_no_files_of_its_own(self, tree: Grow) -> None:
        root = tree({**process("0::/\n", CGROUP2), "sys/fs/cgroup/memory.stat": "inactive_file 4\n"})
        assert read_cgroup(root) == CgroupMemory(None, None, None, None, None, None)

    def test_a_group_whose_folder_is_gone_leaves_those_above(self, tree: Grow) -> None:
        root = tree({**process("0::/a/gone (deleted)\n", CGROUP2), **v2("/a", "100", 10)})
        assert read_cgroup(root).room_bytes == 90


class TestContainers:
    def test_with_a_namespace_of_its_own(self, tree: Grow) -> None:
        root = tree({**process("0::/\n", CGROUP2), **v2("", "100", 10)})
        assert (read_cgroup(root).path, read_cgroup(root).room_bytes) == ("/sys/fs/cgroup", 90)

    def test_shown_the_hosts_path_over_its_own_mount(self, tree: Grow) -> None:
        mounts = CGROUP1.replace(" / /sys", " /docker/4f1 /sys")
        root = tree({**process("4:memory:/docker/4f1/sub\n", mounts), **v1("", "100", 50), **v1("/sub", NO_LIMIT_V1)})
        assert (read_cgroup(root).path, read_cgroup(root).room_bytes) == ("/sys/fs/cgroup/memory", 50)

    @pytest.mark.parametrize("path", ["/../other", "/elsewhere/x", "/docker/4f10"])
    def test_a_path_that_cannot_be_seen_leaves_the_top_of_the_mount(self, tree: Grow, path: str) -> None:
        mounts = CGROUP2.replace(" / /sys", " /docker/4f1 /sys")
        root = tree({**process(f"0::{path}\n", mounts), **v2("", "100", 10)})
        assert read_cgroup(root).room_bytes == 90

    def test_a_mount_with_a_blank_in_its_name(self, tree: Grow) -> None:
        mounts = CGROUP2.replace("/sys/fs/cgroup", "/my\\040groups")
        files = {name.replace("sys/fs/cgroup", "my groups"): text for name, text in v2("/a", "100", 10).items()}
        assert read_cgroup(tree({**process("0::/a\n", mounts), **files})).path == "/my groups/a"


class TestVersion1:
    def test_the_whole_hierarchy_counts(self, tree: Grow) -> None:
        root = tree(
            {
                **process("9:cpu,memory:/a/b\n0::/\n", CGROUP1.replace("rw,memory", "rw,cpu,memory")),
                **v1("/a/b", NO_LIMIT_V1, 10),
                **v1("/a", "100", 70, inactive=30, active=10),
                **v1("", NO_LIMIT_V1, 500),
            }
        )
        assert read_cgroup(root) == CgroupMemory(1, "/sys/fs/cgroup/memory/a", 100, 70, 40, 70)

    # 64-bit with pages of 4 and 64 KiB, and 32-bit: include/linux/page_counter.h, PAGE_COUNTER_MAX.
    @pytest.mark.parametrize("limit", [NO_LIMIT_V1, "9223372036854710272\n", "8796093018112\n"])
    def test_the_largest_number_is_no_limit(self, tree: Grow, limit: str) -> None:
        assert read_cgroup(tree({**process("4:memory:/a\n", CGROUP1), **v1("/a", limit, 10)})).limit_bytes is None

    def test_a_parent_that_does_not_count_its_children_does_not_bind_them(self, tree: Grow) -> None:
        # Possible up to Linux 5.10, and so on a Jetson Nano's 4.9.
        root = tree(
            {
                **process("4:memory:/a/b\n", CGROUP1),
                **v1("/a/b", "100", 10),
                **v1("/a", "20", 19, above="0"),
                **v1("", "5", 5),
            }
        )
        assert read_cgroup(root).room_bytes == 90

    def test_a_kernel_without_the_controller_limits_nothing(self, tree: Grow) -> None:
        # Raspberry Pi OS starts its kernels with cgroup_disable=memory.
        root = tree(process("3:cpu:/\n1:name=systemd:/init.scope\n0::/init.scope\n", UNIFIED))
        assert read_cgroup(root).version is None

    def test_beside_version_2_it_has_the_controller(self, tree: Grow) -> None:
        root = tree({**process("4:memory:/a\n0::/a\n", UNIFIED + CGROUP1), **v1("/a", "100", 10)})
        assert (read_cgroup(root).version, read_cgroup(root).room_bytes) == (1, 90)

    def test_mounted_but_empty_it_leaves_the_word_to_version_2(self, tree: Grow) -> None:
        files = {name.replace("cgroup/", "cgroup/unified/"): text for name, text in v2("/a", "100", 10).items()}
        root = tree({**process("4:memory:/\n0::/a\n", UNIFIED + CGROUP1), **files})
        assert (read_cgroup(root).version, read_cgroup(root).room_bytes) == (2, 90)


class TestWhatIsMissingOrBroken:
    def test_nothing_there_is_no_group(self, tmp_path: Path) -> None:
        assert read_cgroup(tmp_path) == CgroupMemory(None, None, None, None, None, None)

    def test_without_a_list_of_mounts_the_usual_places_are_looked_at(self, tree: Grow) -> None:
        root = tree({"proc/7/cgroup": "0::/a\n", "sys/fs/cgroup/cgroup.controllers": "memory\n", **v2("/a", "100", 10)})
        assert read_cgroup(root, pid=7).room_bytes == 90
        root = tree({"proc/8/cgroup": "4:memory:/a\n", **v1("/a", "100", 20)})
        assert read_cgroup(root, pid=8).room_bytes == 80

    def test_without_statistics_nothing_is_taken_for_reclaimable(self, tree: Grow) -> None:
        files = {name: text for name, text in v2("/a", "100", 30).items() if not name.endswith("stat")}
        found = read_cgroup(tree({**process("0::/a\n", CGROUP2), **files}))
        assert (found.reclaimable_bytes, found.room_bytes) == (None, 70)

    @pytest.mark.parametrize("limit", ["", "-1", "lots", "12 kB"])
    @pytest.mark.parametrize("version", [1, 2])
    def test_a_limit_that_makes_no_sense_is_named(self, tree: Grow, version: int, limit: str) -> None:
        if version == 2:
            root, name = tree({**process("0::/a\n", CGROUP2), **v2("/a", limit, 10)}), "/sys/fs/cgroup/a/memory.max"
        else:
            root = tree({**process("4:memory:/a\n", CGROUP1), **v1("/a", limit, 10)})
            name = "/sys/fs/cgroup/memory/a/memory.limit_in_bytes"
        found = read_cgroup(root)
        assert (found.limit_bytes, found.used_bytes) == (None, 10)
        assert len(found.unreadable) == 1
        assert found.unreadable[0].startswith(name)

    def test_a_limit_whose_use_cannot_be_read_has_no_known_room(self, tree: Grow) -> None:
        root = tree({**process("0::/a\n", CGROUP2), **v2("/a", "100", 10), "sys/fs/cgroup/a/memory.current": "?"})
        found = read_cgroup(root)
        assert (found.limit_bytes, found.used_bytes, found.room_bytes) == (100, None, None)
        assert "memory.current" in found.unreadable[0]

    def test_damaged_tables_are_passed_over(self, tree: Grow) -> None:
        root = tree(
            {
                **process("\n:::\n0:\n4:memory:x\n0::/a\n", f"x\n - \n1 2 3 - cgroup2\n\n{CGROUP2}"),
                **v2("/a", "100", 10),
            }
        )
        assert read_cgroup(root).room_bytes == 90


@pytest.fixture
def group_v1() -> Iterator[Path]:
    """Make a real group of version 1 with a limit of 200 MB and one below it, where this machine lets us."""
    mount = Path("/sys/fs/cgroup/memory")
    group = mount / f"edge-test-{os.getpid()}"
    try:
        (group / "below").mkdir(parents=True)
        (group / "memory.limit_in_bytes").write_text("200000000")
    except OSError as error:
        pytest.skip(f"no group of version 1 can be made at {mount}: {error.strerror}")
    yield group
    (group / "below").rmdir()
    group.rmdir()


def test_a_real_limit_of_version_1_binds_a_process_below_it(group_v1: Path) -> None:
    code = (
        "import os, sys; from boards.telemetry import read_cgroup\n"
        f"open({str(group_v1 / 'below/cgroup.procs')!r}, 'w').write(str(os.getpid()))\n"
        "before = read_cgroup(); taken = bytearray(b'x') * 50_000_000; after = read_cgroup()\n"
        "print(after.version, after.path, after.limit_bytes, before.room_bytes - after.room_bytes, *after.unreadable)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    version, path, limit, taken, *unreadable = done.stdout.split()
    assert (version, path, unreadable) == ("1", str(group_v1), [])
    assert int(limit) == 200_000_000 // os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PAGE_SIZE")
    # Charges are made in batches of pages.
    assert 48_000_000 < int(taken) < 54_000_000
