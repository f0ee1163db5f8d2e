from __future__ import annotations

from pathlib import Path

from parley.local.memory import Memory, read_memory


def machine(root: Path, **files: str) -> Path:
    for path, text in {"proc/meminfo": "MemTotal: 8000 kB\nMemFree: 1 kB\nMemAvailable: 6000 kB\n", **files}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


def test_the_machines_memory_is_read_in_bytes(tmp_path: Path) -> None:
    assert read_memory(machine(tmp_path)) == Memory(8_192_000, 6_144_000)


def test_a_container_that_has_less_counts(tmp_path: Path) -> None:
    limits = {"sys/fs/cgroup/memory.max": "4096000\n", "sys/fs/cgroup/memory.current": "96000\n"}
    assert read_memory(machine(tmp_path, **limits)) == Memory(4_096_000, 4_000_000)


def test_a_container_without_a_limit_does_not(tmp_path: Path) -> None:
    limits = {"sys/fs/cgroup/memory.max": "max\n", "sys/fs/cgroup/memory.current": "96000\n"}
    assert read_memory(machine(tmp_path, **limits)) == Memory(8_192_000, 6_144_000)
