"""What a clip may be: the caps, in one place, and each can be set."""

from __future__ import annotations

from dataclasses import dataclass

from gmmaudio.errors import ClipError


@dataclass(frozen=True)
class Limits:
    """What a clip may be; beyond it, it is refused before it costs time or memory.

    Parameters
    ----------
    max_seconds : float
        Longest clip, or segment of one, in seconds. Default four hours.
    min_rate, max_rate : int
        Sample rates in Hz. Default 4000 to 384000.
    max_channels : int
        Most channels. Default 64.
    peak : float
        Largest absolute sample, where full scale is 1. Default 16.
    """

    max_seconds: float = 4 * 3600
    min_rate: int = 4000
    max_rate: int = 384_000
    max_channels: int = 64
    peak: float = 16.0

    def check_rate(self, rate: int, name: str) -> None:
        """Raise a ClipError ``unsupported_rate`` for a rate out of bounds."""
        if not self.min_rate <= rate <= self.max_rate:
            raise ClipError(
                "unsupported_rate",
                f"{name}: the sample rate is {rate} Hz; {self.min_rate} to {self.max_rate} Hz are allowed",
                "resample the clip, or correct the rate that its header states",
            )

    def check_channels(self, channels: int, name: str) -> None:
        """Raise a ClipError ``unsupported_channels`` for more channels than are allowed."""
        if channels > self.max_channels:
            raise ClipError(
                "unsupported_channels",
                f"{name}: {channels} channels; at most {self.max_channels} are allowed",
                "mix the clip down first",
            )

    def check_length(self, frames: int, rate: int, name: str) -> None:
        """Raise a ClipError ``too_long`` for more seconds than are allowed."""
        if frames > self.max_seconds * rate:
            raise ClipError(
                "too_long",
                f"{name}: {frames / rate:.1f} s or longer; at most {self.max_seconds:g} s are allowed",
                "cut it, or give segments: start and end in the manifest",
            )
