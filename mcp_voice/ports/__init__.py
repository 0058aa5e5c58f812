"""What the inside asks of the outside.

Each port is a small protocol; the rooms around the core implement them and
`server/assembly.py` plugs them together. `Desk` is what a tool gets to work
with: the ports, and nothing else.
"""

from mcp_voice.ports.calls import (
    HeldCall,
    Kept,
    LiveCall,
    Recording,
    RecordingRules,
    Recordings,
    RecordingState,
    Records,
    Switchboard,
    Talk,
    Talks,
)
from mcp_voice.ports.desk import Desk, utc_now
from mcp_voice.ports.network import Bare, Carrier, Carriers, Closed, Gate, Limiter, Sockets
from mcp_voice.ports.record import SessionStore
from mcp_voice.ports.speech import Ear, EarConfig, Hears, Providers, Speaks, Voice, VoiceConfig, Wire

__all__ = [
    "Bare",
    "Carrier",
    "Carriers",
    "Closed",
    "Desk",
    "Ear",
    "EarConfig",
    "Gate",
    "Hears",
    "HeldCall",
    "Kept",
    "Limiter",
    "LiveCall",
    "Providers",
    "Recording",
    "RecordingRules",
    "RecordingState",
    "Recordings",
    "Records",
    "SessionStore",
    "Sockets",
    "Speaks",
    "Switchboard",
    "Talk",
    "Talks",
    "Voice",
    "VoiceConfig",
    "Wire",
    "utc_now",
]
