"""How much memory this machine, or the container around this process, has. Knows nothing of models."""

from __future__ import annotations

import os
from pathlib import Path

from msgspec import Struct

_PROCESS_LIMITS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


class Memory(Struct, frozen=True):
    """In bytes; 0 = not known."""

    total_bytes: int
    available_bytes: int


def read_memory(root: Path = Path("/")) -> Memory:
    """The machine's, or its container's where that has less. `root` stands for the file system."""
    total, available = _machine(root)
    for limit_path, used_path in _PROCESS_LIMITS:
        limit, used = (_number(root / path.lstrip("/")) for path in (limit_path, used_path))
        if limit and (not total or limit < total):
            total = limit
            available = min(available or limit, max(0, limit - used))
    return Memory(total, available)


def _machine(root: Path) -> tuple[int, int]:
    try:
        lines = (root / "proc/meminfo").read_text().splitlines()
        kibibytes = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines) if rest}
        return kibibytes["MemTotal"] * 1024, kibibytes["MemAvailable"] * 1024
    except (OSError, KeyError, ValueError, IndexError):
        pages = os.sysconf("SC_PHYS_PAGES") if "SC_PHYS_PAGES" in getattr(os, "sysconf_names", ()) else 0
        total = pages * os.sysconf("SC_PAGE_SIZE") if pages > 0 else 0
        return total, 0


def _number(path: Path) -> int:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # no such limit, or "max"
        return 0
