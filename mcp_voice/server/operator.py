"""Puts a client through to a tool: checks, limits, calls, and shapes what comes back.

    success        structuredContent, and the same as JSON text
    VoiceError     isError, one sentence, and `_meta["mcp-voice/error"] = {code, retryable, …}`
    anything else  isError with an incident's number; the log has the rest

A result is a plain dict, as it goes over the wire. It is made here and nowhere
else, for the protocol means to change its shape.
"""

import secrets
from collections.abc import Mapping
from functools import partial
from typing import Any, Final, TypeAlias

import structlog
from pydantic import BaseModel
from pydantic_core import from_json, to_json, to_jsonable_python

from mcp_voice.core.counts import Counts
from mcp_voice.errors import VoiceError
from mcp_voice.ports import Desk, Limiter
from mcp_voice.server import resources, telemetry
from mcp_voice.server.approvals import NOBODY, Approvals, Errand, Human, attended
from mcp_voice.server.lean import leaned
from mcp_voice.server.limits import names
from mcp_voice.tools.catalogue import Catalogue, Tool

Result: TypeAlias = dict[str, Any]

_GET: Final = "session.get"
_GET_RPM: Final = 1_000

ERROR_KEY: Final = "mcp-voice/error"
INTERNAL: Final = "internal_error"

log = structlog.get_logger(__name__)


class Operator:
    """Answers calls of the tools it has, in either spelling, and hands out resources."""

    def __init__(
        self,
        catalogue: Catalogue,
        desk: Desk,
        limiter: Limiter,
        counts: Counts,
        approvals: Approvals | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._desk = desk
        self._limiter = limiter
        self._counts = counts
        self._approvals = approvals or Approvals()

    async def call(
        self, name: str, arguments: Mapping[str, Any], caller: str, human: Human = NOBODY
    ) -> Result | None:
        """Answer one call; None if there is no tool of that name here. `human` is asked when it needs one."""
        tool = self._catalogue.get(name)
        if tool is None:
            return None
        self._counts.tool_calls[tool.name] += 1
        try:
            ask = tool.read(arguments)
            await self._limiter.take(tool.name, tool.rpm, names(caller, arguments))
            with telemetry.traced(tool.name, arguments) as span:
                errand = Errand(tool.name, arguments, caller)
                body = partial(tool.body, ask, self._desk)
                answer = await attended(self._approvals, errand, human, body)
                if isinstance(answer, dict):
                    return answer
                return _answered(answer, span, tool.output_schema if self._catalogue.lean else None)
        except VoiceError as error:
            self._count(tool, error.code)
            return refusal(error)
        except Exception:
            incident = secrets.token_hex(4)
            log.exception("tool_crashed", tool=tool.name, incident=incident)
            self._count(tool, INTERNAL)
            text = f"{tool.name} failed inside the server; its log says why under incident {incident}."
            return _failed(text, {"code": INTERNAL, "retryable": False, "incident": incident})

    async def listed(self, caller: str) -> list[resources.Described]:
        """List what can be read. Raises `TooFast`, `StoreFailed`."""
        await self._read_once(caller)
        return await resources.listed(self._desk)

    async def read(self, uri: str, caller: str) -> resources.Described:
        """Read what a URI names. Raises `NotFound`, `TooFast`, `StoreFailed`."""
        await self._read_once(caller, resources.session_of(uri))
        return await resources.read(self._desk, uri)

    async def _read_once(self, caller: str, session_id: str | None = None) -> None:
        """A reading counts as one use of `session.get`."""
        await self._limiter.take(_GET, _GET_RPM, names(caller, {"sessionId": session_id}))

    def schema(self, name: str) -> Mapping[str, Any] | None:
        """Return a tool's input schema; None if it is not here."""
        tool = self._catalogue.get(name)
        return None if tool is None else tool.input_schema

    def _count(self, tool: Tool, code: str) -> None:
        self._counts.tool_errors[code] += 1
        if tool.namespace == "telephony":
            self._counts.telephony_errors[code] += 1


def refusal(error: VoiceError) -> Result:
    """Shape an error that the model can act on."""
    advice = {"advice": error.next_step} if error.next_step else {}
    return _failed(str(error), {"code": error.code, "retryable": error.retryable, **advice, **error.details})


def _failed(text: str, facts: Mapping[str, Any]) -> Result:
    return {
        "resultType": "complete",
        "content": [{"type": "text", "text": text}],
        "isError": True,
        "_meta": {ERROR_KEY: to_jsonable_python(facts, fallback=str)},
    }


def _answered(answer: BaseModel, span: telemetry.Answered, lean: Mapping[str, Any] | None) -> Result:
    """Shape a success: dumped once, to text, and read back for the structured half.

    With a schema to be `lean` by, what it does not need is left out first.
    """
    text = answer.__pydantic_serializer__.to_json(answer, by_alias=True)
    structured = from_json(text)
    span(structured)
    if lean is not None:
        structured = leaned(structured, lean)
        text = to_json(structured)
    return {
        "resultType": "complete",
        "content": [{"type": "text", "text": text.decode()}],
        "structuredContent": structured,
        "isError": False,
    }
