"""What the caller's audio means: when to listen, when they are done, who has the floor.

A listener takes 20 ms frames and says three kinds of things: audio for the ear
(`Listen`, `Finalize`) and cues of the turn machine. Its clock is the audio
itself, twenty milliseconds a frame, so a recording sent as fast as possible is
heard exactly like one sent in real time; `elapse` moves it on when a stream
falls silent by sending nothing at all.
"""

from typing import Final, TypeAlias

from mcp_voice.core.audio import FRAME_MS
from mcp_voice.core.events import Finalize, Listen
from mcp_voice.core.turns import Cue, Floor, Patience, Sound, Turns
from mcp_voice.core.voice import Edge, EdgeKind, Vad, VoiceEdges

Found: TypeAlias = Listen | Finalize | Cue

PIECE_FRAMES: Final = 5
"""An ear gets its audio 100 ms at a time: one message to an engine costs 35 µs."""

_TICK: Final = FRAME_MS / 2000
"""Half a frame: so that sums of 0.02 do not decide which frame is the last."""


class Listener:
    """The caller's side of one stream.

    A `continuous` ear gets everything, silence too; another gets utterances
    only, each with its pre-roll, closed by `Finalize` after a silence of
    `end_of_turn`, which what the caller is expected to say makes longer or shorter.
    """

    def __init__(self, vad: Vad, patience: Patience | None = None, *, continuous: bool = False) -> None:
        self._edges = VoiceEdges(vad)
        self._turns = Turns(patience)
        self.continuous = continuous
        self._piece: list[bytes] = []
        self._open = False
        self._agent_speaks = False
        self._voiced_at = 0.0
        self._silent_at: float | None = None
        self._clock = 0.0

    @property
    def floor(self) -> Floor:
        """Who is being listened to."""
        return self._turns.floor

    @property
    def speaking(self) -> bool:
        """Whether the caller's voice is heard, as of the last frame."""
        return self._edges.speaking

    @property
    def busy(self) -> bool:
        """Whether an utterance is open: then a stream that stops sending must be told of (`elapse`)."""
        return self._open or self._turns.wakes_at is not None

    @property
    def silent_ms(self) -> int:
        """How long ago the caller's last voice was; 0 while they speak."""
        return 0 if self._silent_at is None else round((self._clock - self._silent_at) * 1000)

    @property
    def voiced_ms(self) -> int:
        """How long the caller's last utterance was, or has been so far."""
        until = self._clock if self._silent_at is None else self._silent_at
        return max(0, round((until - self._voiced_at) * 1000))

    @property
    def end_of_turn(self) -> float:
        """How long a silence ends the caller's turn now, in seconds."""
        return self._turns.end_of_turn

    def expect(self, kind: str) -> None:
        """The caller is to say something of this kind: be as patient as it wants."""
        self._turns.expect(kind)

    def endpoint(self) -> tuple[Found, ...]:
        """The recogniser says that the caller has finished: their turn ends, and no last words are due."""
        found: list[Found] = []
        self._sound(Sound.ENDPOINT, self._clock, found)
        if found:
            self._open = False
        return tuple(found)

    def hear(self, frame: bytes) -> tuple[Found, ...]:
        """Take 160 bytes of mu-law; return what they mean, in order."""
        self._clock += FRAME_MS / 1000
        edge = self._edges.hear(frame)
        if edge is None and not self._open and not self.continuous and self._turns.wakes_at is None:
            return ()
        found: list[Found] = []
        in_preroll = not self._open and not self.continuous
        if edge is not None:
            self._edge(edge, found)
        if not in_preroll:
            self._piece.append(frame)
        self._settle(found)
        if len(self._piece) >= PIECE_FRAMES:
            self._pass(found)
        return tuple(found)

    def agent(self, *, speaks: bool) -> tuple[Found, ...]:
        """The agent's audio begins, or is over."""
        self._agent_speaks = speaks
        found: list[Found] = []
        self._sound(Sound.SPEAK if speaks else Sound.SPOKEN, self._clock, found)
        return tuple(found)

    def elapse(self, seconds: float) -> tuple[Found, ...]:
        """The stream sent nothing for so long: silence, as far as anybody knows."""
        found: list[Found] = []
        if self._open and self._silent_at is None:
            self._fall_silent(self._clock, found)
        self._clock += seconds
        self._settle(found)
        return tuple(found)

    def flush(self) -> tuple[Found, ...]:
        """The stream is over: what was said last is said."""
        return self.elapse(self._turns.end_of_turn) if self._open else ()

    def _edge(self, edge: Edge, found: list[Found]) -> None:
        if edge.kind is EdgeKind.SILENCE:
            self._fall_silent(self._clock - edge.ago_ms / 1000, found)
            return
        self._silent_at = None
        self._sound(Sound.VOICE, self._clock, found)
        if not self._open:
            self._open, self._voiced_at = True, self._clock
            if not self.continuous:
                found.append(Listen(edge.preroll, onset=True))

    def _fall_silent(self, at: float, found: list[Found]) -> None:
        self._silent_at = at
        self._sound(Sound.SILENCE, at, found)

    def _settle(self, found: list[Found]) -> None:
        """See whether it is time: for the end of a turn, for a barge-in, for the last words."""
        now = self._clock + _TICK
        self._sound(Sound.TIMEOUT, now, found)
        if self._open and self._silent_at is not None and now - self._silent_at >= self._turns.end_of_turn:
            self._pass(found)
            found.append(Finalize())
            self._open = False

    def _sound(self, sound: Sound, at: float, found: list[Found]) -> None:
        cues = self._turns.hear(sound, at)
        found += cues
        if Cue.TURN_ENDED in cues and self._agent_speaks:
            found += self._turns.hear(Sound.SPEAK, at)  # it began while the caller still spoke

    def _pass(self, found: list[Found]) -> None:
        if self._piece:
            found.append(Listen(b"".join(self._piece)))
            self._piece.clear()
