"""`telephony.generateTwiML`: a document for a webhook that somebody else answers.

Its verbs are objects, each with the name of its verb. Their whole schema is as
long as that of twenty tools, and a model that writes TwiML knows the
attributes; so what is listed names the verbs, and what is checked are the
verbs themselves (`core.twiml.verbs`).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeAlias

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError, WithJsonSchema

from mcp_voice.core.twiml import Mode, stream_twiml
from mcp_voice.errors import Invalid
from mcp_voice.ports import Desk
from mcp_voice.tools.catalogue import Arguments, tool
from mcp_voice.tools.named import SessionId
from mcp_voice.tools.telephony import TwiML

if TYPE_CHECKING:
    from mcp_voice.core.twiml.verbs import Verb

Url: TypeAlias = Annotated[str, Field(max_length=2_000)]

MOST: Final = 50

NAMES: Final = (
    "say", "play", "pause", "gather", "dial", "record", "redirect", "reject", "hangup", "enqueue", "leave",
    "refer", "start", "stop",
)  # fmt: skip

HOW: Final = (
    "Attributes as Twilio names them. say{text or ssml} play{url or digits} pause{length} "
    "gather{prompts:[say|play|pause],action,numDigits} record{action} redirect{url} enqueue{name} "
    "refer{to:{uri}} dial{to:[{noun:number,number}|{noun:sip,uri}|{noun:client,identity}|"
    "{noun:conference,name}],action,timeout} start{what:{kind:stream,url}|{kind:transcription}|"
    "{kind:recording}|{kind:siprec,connectorName}} stop{what:{kind,name}}"
)
"""What a verb is made of, beside its attributes."""

_SCHEMA: Final = {
    "type": "array",
    "maxItems": MOST,
    "items": {"type": "object", "properties": {"verb": {"enum": list(NAMES)}}, "required": ["verb"]},
}


def _check(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    read(steps)
    return steps


Steps: TypeAlias = Annotated[
    list[dict[str, Any]], Field(max_length=MOST), AfterValidator(_check), WithJsonSchema(_SCHEMA)
]


def read(steps: Sequence[dict[str, Any]]) -> "tuple[Verb, ...]":
    """Read verbs. Raises `ValueError`, naming the first that is wrong, or `Invalid`."""
    from mcp_voice.core.twiml.verbs import Beside

    adapter: TypeAdapter[Verb] = TypeAdapter(Beside)
    found: list[Verb] = []
    for place, step in enumerate(steps):
        try:
            found.append(adapter.validate_python(step, by_alias=True, by_name=False))
        except ValidationError as error:
            fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
            where = ".".join(str(part) for part in (place, *fault["loc"]))
            raise ValueError(f"{where}: {fault['msg']}") from None
        except Invalid as error:
            raise ValueError(f"{place}: {error.args[0].rstrip('.')}") from None
    return tuple(found)


class Generate(Arguments):
    """Which session and socket, and what else the carrier is told."""

    session_id: SessionId
    ws_url: Annotated[
        Url, Field(description="The media socket: wss://, no query.", examples=["wss://example.com/ws"])
    ]
    mode: Annotated[
        Mode | Literal["none"],
        Field(
            description="stream: audio comes to us. relay: Twilio hears and speaks, and sends text. "
            "none: before and after only, wsUrl is not used."
        ),
    ] = "stream"
    parameters: Annotated[
        dict[str, str],
        Field(
            default_factory=dict,
            max_length=50,
            description="Sent back when the stream starts, beside sessionId.",
        ),
    ]
    greeting: Annotated[
        str | None, Field(min_length=1, max_length=500, description="Said by the carrier at once.")
    ] = None
    language: Annotated[
        str | None, Field(max_length=35, description="Of the greeting.", examples=["en-US"])
    ] = None
    voice: Annotated[str | None, Field(max_length=100, description="The carrier's name of one.")] = None
    status_callback: Annotated[
        Url | None, Field(description="Hears of the stream's start, end and errors.")
    ] = None
    action_url: Annotated[
        Url | None,
        Field(description="Asked for TwiML when we let the call go; without it the call ends then."),
    ] = None
    before: Annotated[Steps, Field(default_factory=list, description=f"Verbs that run first. {HOW}.")]
    after: Annotated[
        Steps, Field(default_factory=list, description="Verbs that run when we have let the call go.")
    ]


@tool("telephony.generateTwiML", title="Write TwiML for a call", rpm=100, reads=True)
async def generate_twiml(ask: Generate, desk: Desk) -> TwiML:
    """Write the TwiML that connects a call to a media socket, without doing anything.

    Verbs may stand before and after: a menu, a voicemail, a call to somebody else. For a webhook of your
    own. telephony.handleConnect makes the session and the TwiML in one step.
    """
    if "sessionId" in ask.parameters:
        raise Invalid("parameters has a sessionId, which is set from the argument sessionId.")
    from mcp_voice.core.twiml.writing import added, document

    before, after = read(ask.before), read(ask.after)
    if ask.mode == "none":
        return TwiML(twiml=document(*before, *after))
    twiml = stream_twiml(
        ask.ws_url,
        {"sessionId": ask.session_id, **ask.parameters},
        mode=ask.mode,
        greeting=ask.greeting,
        language=ask.language,
        voice=ask.voice,
        status_callback=ask.status_callback,
        action_url=ask.action_url,
    )
    return TwiML(twiml=added(twiml, before, after) if before or after else twiml)
