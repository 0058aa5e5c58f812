"""Where incoming calls go: `MCP_VOICE_INBOUND__…`.

A route is what is done with a call. A number of ours may have its own, named
by the number; another may be asked for by its name, at `/twilio/voice/<name>`;
the rest takes the default.

    MCP_VOICE_INBOUND__DEFAULT=front
    MCP_VOICE_INBOUND__ROUTES='{
      "front": {"kind": "menu", "prompt": "For a table press 1, for a message 2.",
                "choices": {"1": "stream", "2": "message"}},
      "message": {"kind": "voicemail"},
      "+12025550199": {"kind": "forward", "to": "+12025550123", "otherwise": "message"}}'
"""

from typing import Annotated, Final, Literal, TypeAlias

from pydantic import Field, model_validator

from mcp_voice.settings.parts import Part

Name: TypeAlias = Annotated[str, Field(pattern=r"^([a-z][a-z0-9_-]{0,39}|\+[1-9][0-9]{6,14})$")]
Words: TypeAlias = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f]+$")]
Target: TypeAlias = Annotated[
    str, Field(pattern=r"^(\+[1-9][0-9]{6,14}|sips?:[^\s@]+@[^\s@]+|client:[A-Za-z0-9_.+@-]{1,121})$")
]


class Stream(Part):
    """The call's audio comes to us: an agent takes it with `telephony.answer`."""

    kind: Literal["stream"] = "stream"
    greeting: Annotated[Words | None, Field(description="Said by Twilio before that.")] = None


class Relay(Part):
    """Twilio hears and speaks, and sends text: ConversationRelay."""

    kind: Literal["relay"] = "relay"
    greeting: Annotated[Words | None, Field(description="Its first words.")] = None


class Forward(Part):
    """Somebody else's telephone rings."""

    kind: Literal["forward"]
    to: Target
    announce: Annotated[Words | None, Field(description="Said to the caller first.")] = None
    ring_seconds: Annotated[int, Field(ge=5, le=600)] = 25
    otherwise: Annotated[Name | None, Field(description="The route if nobody takes it; none says so.")] = None


class Voicemail(Part):
    """The caller leaves a message, which Twilio records."""

    kind: Literal["voicemail"]
    greeting: Words = "Nobody can take your call now. Please leave a message after the tone."
    max_seconds: Annotated[int, Field(ge=5, le=3_600)] = 120
    thanks: Words = "Thank you. Goodbye."


class Menu(Part):
    """The caller chooses a route with a key."""

    kind: Literal["menu"]
    prompt: Words
    choices: Annotated[dict[Annotated[str, Field(pattern=r"^[0-9*#]$")], Name], Field(min_length=1)]
    seconds: Annotated[int, Field(ge=1, le=60, description="For the caller to think.")] = 5
    tries: Annotated[int, Field(ge=1, le=9)] = 3
    otherwise: Annotated[Name | None, Field(description="The route of who presses none; none ends it.")] = (
        None
    )


class Reject(Part):
    """The call is not taken, and costs nothing."""

    kind: Literal["reject"] = "reject"
    reason: Literal["busy", "rejected"] = "rejected"


Route: TypeAlias = Annotated[
    Stream | Relay | Forward | Voicemail | Menu | Reject, Field(discriminator="kind")
]

KNOWN: Final[dict[str, Route]] = {"stream": Stream(), "relay": Relay(), "reject": Reject()}
"""Routes that need no settings, by their names."""


class Inbound(Part):
    """What is done with incoming calls."""

    default: Annotated[Name, Field(description="The route of a call that has no other.")] = "stream"
    routes: dict[Name, Route] = Field(
        default_factory=dict, description="Routes by name, or by the number of ours that was called."
    )
    language: Annotated[
        str | None, Field(min_length=2, max_length=35, description="Of what Twilio says itself: `en-GB`.")
    ] = None
    voice: Annotated[
        str | None, Field(min_length=1, max_length=100, description="Whose voice says it: `Polly.Amy`.")
    ] = None
    sorry: Annotated[Words, Field(description="Said when something here does not work.")] = (
        "We are sorry, this call cannot be taken now. Please try again later."
    )

    @model_validator(mode="after")
    def _complete(self) -> "Inbound":
        for name in (self.default, *(name for route in self.routes.values() for name in _leads(route))):
            if name not in self.routes and name not in KNOWN:
                raise ValueError(f"there is no route {name!r}")
        return self

    def route(self, *names: str | None) -> tuple[str, Route]:
        """Return the first of these routes that there is, or the default, with its name."""
        for name in (*names, self.default):
            if name is not None and (route := self.routes.get(name) or KNOWN.get(name)) is not None:
                return name, route
        raise AssertionError("the default is one")  # pragma: no cover


def _leads(route: Route) -> tuple[str, ...]:
    """Name the routes that a route may lead to."""
    match route:
        case Menu(choices=choices, otherwise=otherwise):
            return (*choices.values(), *filter(None, (otherwise,)))
        case Forward(otherwise=str(otherwise)):
            return (otherwise,)
        case _:
            return ()
