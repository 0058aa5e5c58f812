"""`<Connect>`, `<Start>` and `<Stop>`: sockets of a call.

A `<Connect>` lasts until its socket is closed, and then the next verb is done;
a `<Start>` does not keep the next verb waiting.

https://www.twilio.com/docs/voice/twiml/connect · /docs/voice/twiml/stream
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin

from mcp_voice.errors import CarrierFailed
from mcp_voice.simulator.dialling import failed
from mcp_voice.simulator.twilio import recording, relaying, transcribing
from mcp_voice.simulator.twilio.doing import Doing
from mcp_voice.simulator.twilio.effects import EndStream, Hook, OpenStream
from mcp_voice.simulator.twilio.records import Call, Stream
from mcp_voice.simulator.twilio.sockets import after_connect, check_socket, parameters_of
from mcp_voice.simulator.twilio.twiml import NOT_TWIML, Verb

if TYPE_CHECKING:
    from mcp_voice.simulator.persona import Persona
    from mcp_voice.simulator.twilio.account import Account

BAD_TRACK: Final = 31_941
MOST_TRACKS: Final = 4
TRACKS: Final[Mapping[str, tuple[str, ...]]] = {
    "inbound_track": ("inbound",),
    "outbound_track": ("outbound",),
    "both_tracks": ("inbound", "outbound"),
}


# ─── media streams ───────────────────────────────────────────────────────────


class OnStream(Doing):
    """The person is on a media socket."""

    def __init__(self, network: "Account", call: Call, verb: Verb, stream: Stream) -> None:
        super().__init__()
        self.network, self.call, self.verb, self.stream = network, call, verb, stream
        self.persona: Persona | None = None

    def stop(self) -> None:
        """Close the socket, if it is open, and have the person back."""
        stop_stream(self.network, self.stream)
        self.network.come_back(self.call, self.persona)


def connect(network: "Account", call: Call, verb: Verb) -> None:
    """Do `<Connect>`."""
    noun = next(iter(verb.children), None)
    if noun is None or len(verb.children) > 1:
        network.alert(call, NOT_TWIML, "<Connect> needs exactly one noun.")
    elif noun.name == "Stream":
        _connect_stream(network, call, verb, noun)
    else:
        relaying.connect(network, call, verb, noun)


def _connect_stream(network: "Account", call: Call, verb: Verb, noun: Verb) -> None:
    if noun.get("track", "inbound_track") != "inbound_track":
        network.alert(call, BAD_TRACK, "A <Connect><Stream> has only the inbound track.")
        return
    stream = _stream(network, call, noun, both=True)
    network.streams[stream.sid] = stream
    if not _may_open(network, call, stream):
        return
    network.set_doing(call, OnStream(network, call, verb, stream))
    network.park(call)
    network.want(OpenStream(call, stream))


def _stream(network: "Account", call: Call, noun: Verb, *, both: bool) -> Stream:
    return Stream(
        network.sid,
        call.sid,
        urljoin(call.base, noun.get("url")),
        both,
        tracks=TRACKS.get(noun.get("track", "inbound_track"), ()),
        name=noun.get("name"),
        parameters=parameters_of(network, call, noun),
        hook=Hook(noun.get("statusCallback"), noun.get("statusCallbackMethod", "POST")),
    )


def _may_open(network: "Account", call: Call, stream: Stream) -> bool:
    try:
        check_socket(stream.url)
    except CarrierFailed as error:
        _trouble(network, call, stream, error)
        return False
    return True


def begin_stream(
    network: "Account",
    call: Call,
    noun: Verb,
) -> Stream:
    """Do `<Start><Stream>`, or `POST /Calls/{sid}/Streams`.

    Raises:
        CarrierFailed: 31941, there are too many tracks, or the wrong ones.
    """
    stream = _stream(network, call, noun, both=False)
    live = [
        one for one in network.streams.values() if one.call_sid == call.sid and one.status == "in-progress"
    ]
    if not stream.tracks or sum(len(one.tracks) for one in (*live, stream)) > MOST_TRACKS:
        raise failed(BAD_TRACK, f"{noun.get('track') or 'inbound_track'!r} is not a track that can be had.")
    if stream.name and any(one.name == stream.name for one in live):
        raise failed(NOT_TWIML, f"There is a stream {stream.name!r} already.")
    network.streams[stream.sid] = stream
    if _may_open(network, call, stream):
        network.want(OpenStream(call, stream))
    return stream


def stop_stream(network: "Account", stream: Stream) -> None:
    """Say `stop` on a stream and close it; nothing happens if it is closed."""
    if stream.status == "in-progress":
        stream.status = "stopped"
        network.want(EndStream(stream.sid))
        if stream.began:
            _tell(network, stream, "stream-stopped")


def stream_began(network: "Account", stream_sid: str, now: float) -> None:
    """The socket is open."""
    network.advance(now)
    stream = network.streams[stream_sid]
    stream.began = True
    _tell(network, stream, "stream-started")


def stream_ended(
    network: "Account",
    stream_sid: str,
    now: float,
    error: CarrierFailed | None = None,
    *,
    left: bool = False,
    persona: "Persona | None" = None,
) -> None:
    """The socket has been closed, was lost, or could not be opened; or the person has hung up.

    `persona` is what has become of the person meanwhile.
    """
    from mcp_voice.simulator.twilio import calls

    network.advance(now)
    stream = network.streams[stream_sid]
    call = network.calls[stream.call_sid]
    if stream.status != "in-progress":
        if stream.both and persona is not None and not call.over and not call.parked:
            network.come_back(call, persona)  # the call was taken from its stream, which has ended by now
        return
    stream.status = "stopped"
    if error is not None:
        _trouble(network, call, stream, error)
    else:
        _tell(network, stream, "stream-stopped")
    doing = call.doing
    if isinstance(doing, OnStream) and doing.stream is stream:
        doing.persona = persona
    if left:
        calls.end(network, call, "completed")
    elif isinstance(doing, OnStream) and doing.stream is stream:
        after_connect(network, call, doing.verb, {})


def _trouble(network: "Account", call: Call, stream: Stream, error: CarrierFailed) -> None:
    stream.status = "stopped"
    network.alert(call, error.details.get("code", 31_900), error.args[0])
    _tell(network, stream, "stream-error", {"StreamError": error.args[0]})


def _tell(network: "Account", stream: Stream, event: str, more: Mapping[str, str] | None = None) -> None:
    form = {
        "AccountSid": stream.account_sid,
        "CallSid": stream.call_sid,
        "StreamSid": stream.sid,
        "StreamName": stream.name or stream.sid,
        "StreamEvent": event,
        "Timestamp": datetime.fromtimestamp(network.now, UTC).isoformat().replace("+00:00", "Z"),
        **(more or {}),
    }
    network.tell(network.calls[stream.call_sid], stream.hook, form)


def end_all(network: "Account", call: Call) -> None:
    """Close every stream of a call."""
    for stream in list(network.streams.values()):
        if stream.call_sid == call.sid:
            stop_stream(network, stream)


def find(network: "Account", call: Call, name: str) -> Stream | None:
    """Return a call's stream by its sid or its name."""
    of_call = [one for one in network.streams.values() if one.call_sid == call.sid]
    return next((one for one in reversed(of_call) if name in (one.sid, one.name)), None)


# ─── <Start>, <Stop> ─────────────────────────────────────────────────────────


def start(network: "Account", call: Call, verb: Verb) -> None:
    """Do `<Start>`: the next verb does not wait for it."""
    for noun in verb.children:
        try:
            if noun.name == "Stream":
                begin_stream(network, call, noun)
            elif noun.name == "Transcription":
                transcribing.start(network, call, noun.attributes)
            elif noun.name == "Recording":
                recording.start(network, call, "StartCallRecordingTwiML", _recording(noun))
        except CarrierFailed as error:
            network.alert(call, error.details["code"], error.args[0])


def _recording(noun: Verb) -> dict[str, str]:
    channels, track = noun.get("channels", "mono"), noun.get("track", "both")
    return recording.attributes(noun.attributes) | {"RecordingChannels": channels, "RecordingTrack": track}


def stop(network: "Account", call: Call, verb: Verb) -> None:
    """Do `<Stop>`."""
    for noun in verb.children:
        name = noun.get("name")
        if noun.name == "Stream" and (stream := find(network, call, name)):
            stop_stream(network, stream)
        elif noun.name == "Transcription" and (words := transcribing.find(network, call, name)):
            transcribing.stop(network, words)
