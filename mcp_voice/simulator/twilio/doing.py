"""What a leg is at: a verb that takes its time, and what happens to it meanwhile."""

from mcp_voice.simulator.twilio.timers import Timer


class Doing:
    """Nothing in particular: what happens meanwhile is of no interest."""

    def __init__(self) -> None:
        self.timers: list[Timer] = []

    def begins(self, text: str) -> None:
        """The person on the leg begins to speak."""

    def said(self, text: str) -> None:
        """The person has said this."""

    def key(self, digit: str) -> None:
        """The person has pressed a key."""

    def hung_up(self) -> None:
        """The call is over; `stop` follows."""

    def stop(self) -> None:
        """Leave off: the next verb, another document, or the end of the call."""

    def close(self) -> None:
        """Leave off, and call off what was to happen."""
        for timer in self.timers:
            timer.cancel()
        self.timers.clear()
        self.stop()
