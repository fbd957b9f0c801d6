"""A cap on a process's memory, where the platform has one."""

from __future__ import annotations

from pathlib import Path


def cap_memory(more: int) -> bool:
    """Let this process take at most so many bytes more of address space; beyond that, allocation fails.

    Parameters
    ----------
    more : int
        Bytes on top of what the process has now.

    Returns
    -------
    bool
        Whether there is a cap now: on Linux; elsewhere nothing is done.
    """
    try:
        import resource

        now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except (ImportError, OSError):
        return False
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    cap = now + more if hard == resource.RLIM_INFINITY else min(now + more, hard)
    resource.setrlimit(resource.RLIMIT_AS, (cap, hard))
    return True
