"""TwiML: what a carrier is told to do with a call.

`connecting` connects a call to us; `verbs` has every other thing a voice agent
may want done, as values, and `writing` writes them down. What Twilio would drop
or refuse is refused (`checks`). https://www.twilio.com/docs/voice/twiml
"""

from mcp_voice.core.twiml.checks import LONGEST, LONGEST_PARAMETER
from mcp_voice.core.twiml.connecting import Mode, stream_twiml

__all__ = ["LONGEST", "LONGEST_PARAMETER", "Mode", "stream_twiml"]
