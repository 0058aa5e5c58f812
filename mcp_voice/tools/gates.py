"""Leave to make somebody's telephone ring, for the tools that do so beside `telephony.call`."""

from typing import Final

from mcp_voice.core.policy import Wish
from mcp_voice.core.session import Session
from mcp_voice.ports import Desk

SIMULATOR: Final = "simulator"


async def admitted(desk: Desk, session: Session, target: str, purpose: str) -> None:
    """Ask leave to bring `target` into a call; a simulated one rings nobody.

    What it costs is not known here, so the longest is booked.

    Raises `NotAllowed`, `ApprovalNeeded`, `ApprovalDenied`.
    """
    if session.carrier == SIMULATOR:
        return
    admission = await desk.gate.admit(Wish(target, purpose))
    admission.settle(admission.max_minutes)
