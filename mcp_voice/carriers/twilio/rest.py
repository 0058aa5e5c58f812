"""Twilio's REST API, as far as we speak it: change what a live call does.

One form-encoded POST with the account's name and token
(https://www.twilio.com/docs/voice/api/call-resource#update-a-call-resource).
What Twilio answers becomes an error of ours by its status and its code. Its own
sentence is not handed on: it may quote what was sent, and that may be secret.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from mcp_voice.errors import CarrierFailed, NotConfigured, NotFound, VoiceError

if TYPE_CHECKING:
    import httpx2

SECONDS: Final = 10.0
"""How long Twilio may take for an answer."""

GONE: Final = frozenset({20404, 21220})
"""Twilio's codes for a call that it does not know, and for one that is not in progress."""


class TwilioRest:
    """One account's API."""

    def __init__(self, account_sid: str, auth_token: str, url: str, *, seconds: float = SECONDS) -> None:
        self._base = f"{url.rstrip('/')}/2010-04-01/Accounts/{account_sid}"
        self._auth = (account_sid, auth_token)
        self._seconds = seconds
        self._client: httpx2.AsyncClient | None = None

    async def update_call(self, call_sid: str, twiml: str) -> None:
        """Let a live call run other TwiML; what it runs now ends.

        Raises `NotFound` if the call is over, `NotConfigured` if the account is not taken, `CarrierFailed`.
        """
        await self._post(f"/Calls/{call_sid}.json", {"Twiml": twiml}, call_sid)

    async def _post(self, path: str, form: Mapping[str, str], call_sid: str) -> None:
        import httpx2  # with its TLS it costs a start-up 50 ms

        if self._client is None:
            self._client = httpx2.AsyncClient(auth=self._auth, timeout=self._seconds)
        try:
            answer = await self._client.post(self._base + path, data=form)
        except httpx2.TimeoutException:
            raise CarrierFailed(
                f"Twilio did not answer within {self._seconds:g} s.", advice="It may have been done: listen."
            ) from None
        except httpx2.TransportError as error:
            raise CarrierFailed(f"Twilio cannot be reached: {type(error).__name__}.") from None
        if not answer.is_success:
            raise _error(answer, call_sid)

    async def aclose(self) -> None:
        """Let go of the connections."""
        if self._client is not None:
            await self._client.aclose()


def _error(answer: "httpx2.Response", call_sid: str) -> VoiceError:
    """Return what an answer means that is no success."""
    code = _code(answer)
    if code in GONE or answer.status_code == 404:
        return NotFound("live call at Twilio", call_sid, advice="It is over.")
    if answer.status_code in (401, 403):
        return NotConfigured(
            f"Twilio does not take the account's credentials (error {code or answer.status_code}).",
            advice="Correct TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN and start again.",
        )
    busy = answer.status_code == 429 or answer.status_code >= 500
    return CarrierFailed(
        f"Twilio refused with HTTP {answer.status_code}, error {code or 'unknown'}.",
        advice="Try again in a moment." if busy else f"See https://www.twilio.com/docs/errors/{code or ''}.",
    )


def _code(answer: "httpx2.Response") -> int | None:
    """Read the code of an error: `{"code", "message", "more_info", "status"}`."""
    try:
        told = answer.json()
    except ValueError:
        return None
    code = told.get("code") if isinstance(told, dict) else None
    return code if isinstance(code, int) else None
