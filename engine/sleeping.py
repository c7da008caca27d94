"""Whether the machine was asleep: told by two clocks, of which one stands still meanwhile."""

import sys
import time
from collections.abc import Callable

TOLERANCE_SECONDS = 3.0
"""that the clocks may part while awake: two readings lie apart where this process had to wait between them, and a
machine that sleeps for less than this has not left its user"""


def boot_seconds() -> float:
    """Seconds since the machine started, sleep included."""
    # macOS has no CLOCK_BOOTTIME; there CLOCK_MONOTONIC counts on through sleep.
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def awake_seconds() -> float:
    """Seconds since the machine started, sleep left out."""
    if sys.platform == "darwin":
        return time.clock_gettime(time.CLOCK_UPTIME_RAW)
    return time.clock_gettime(time.CLOCK_MONOTONIC)


class Sleep:
    """Notices that the machine slept since it was last asked. Suspending and hibernating count (clock_gettime(2):
    CLOCK_BOOTTIME goes on then, CLOCK_MONOTONIC does not); a stopped process or a paused virtual machine does not,
    because both clocks go on, or both stand still."""

    def __init__(self, boot: Callable[[], float] = boot_seconds, awake: Callable[[], float] = awake_seconds) -> None:
        self._boot, self._awake = boot, awake
        self._apart = self._now_apart()

    def slept(self) -> float:
        """Seconds of sleep since the last call that told of one; 0 where there was none to speak of.

        Short ones add up, so that many of them are told like a long one.
        """
        apart = self._now_apart()
        seconds = apart - self._apart
        if seconds < 0:  # the clocks went the other way, as in a copy of this process that was taken elsewhere
            self._apart = apart
            return 0.0
        if seconds < TOLERANCE_SECONDS:
            return 0.0
        self._apart = apart
        return seconds

    def _now_apart(self) -> float:
        # The smaller of two readings: a wait between the clocks only ever makes them look further apart.
        return min(self._once(), self._once())

    def _once(self) -> float:
        awake = self._awake()
        return self._boot() - awake
