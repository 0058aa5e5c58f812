"""Everything that can go wrong, on one page.

VoiceError
    Invalid                what was sent cannot be used: change it
        BadAudio           bytes that are not the audio they claim to be
        BadMessage         a carrier's message we cannot read
        BadGrammar         a phrase list or grammar the recogniser cannot use
    NotFound               the thing named is not there
    Refused                a rule of ours forbids it now
        SessionClosed      the call it names is over
        StaleVersion       somebody changed the record first
        NotLive            the call has no open stream to act on
        TooFast            a limiter says wait
        TooMany            a ceiling is reached
        NotConfigured      a credential or an engine is missing
        PolicyDenied       whoever runs this server does not want it
            NotAllowed     the rules forbid dialling it
        ApprovalNeeded     a human has to say yes first
        ApprovalDenied     a human said no, or there is nobody to ask
    Broken                 somebody else's fault: a vendor, a carrier, the disk
        ProviderFailed     an ear or a voice failed
        CarrierFailed      the telephone network refused or failed
            Unconfirmed    and nobody knows whether it did it all the same
        StoreFailed        the record could not be written
            StoreTooNew    a later version of this program wrote it
        RecordingFailed    a recording could not be written, read or removed

Programs match `code`; people and models read `str(error)`, which ends with
what to do next. `details` are extra facts for programs.
"""

from typing import Any, ClassVar


class VoiceError(Exception):
    """An error the caller can act on."""

    code: ClassVar[str] = "error"
    advice: ClassVar[str] = ""
    retryable: ClassVar[bool] = False

    def __init__(self, what: str, *, advice: str | None = None, **details: Any) -> None:
        super().__init__(what)
        self.next_step = self.advice if advice is None else advice
        self.details = details

    def __str__(self) -> str:
        return " ".join(filter(None, (super().__str__(), self.next_step)))


class Invalid(VoiceError):
    """What was sent cannot be used; the same call will fail again."""

    code = "invalid_arguments"
    advice = "Correct the argument and call again."


class BadAudio(Invalid):
    """Bytes that are not the audio they claim to be."""

    code = "bad_audio"
    advice = "Send base64 of raw audio in the stated encoding and sample rate, without a WAV header."


class BadMessage(Invalid):
    """A carrier's message we cannot read; it was skipped and the call goes on."""

    code = "bad_message"
    advice = "The message was skipped; the call goes on."


class BadGrammar(Invalid):
    """A phrase list or grammar that the recogniser cannot use."""

    code = "bad_grammar"
    advice = "Use words of the recogniser's dictionary, or leave the grammar out."


class NotFound(VoiceError):
    """The thing named is not there, or not any more."""

    code = "not_found"

    def __init__(self, kind: str, name: str, *, advice: str | None = None) -> None:
        super().__init__(f"There is no {kind} {name!r}.", advice=advice, kind=kind)


class Refused(VoiceError):
    """A rule of ours forbids this now."""

    code = "refused"


class SessionClosed(Refused):
    """The session is closed: its record can be read, not changed."""

    code = "session_closed"
    advice = "Read it with session.get, or start a new one with session.create."

    def __init__(self, session_id: str) -> None:
        super().__init__(f"Session {session_id} is already closed.")


class StaleVersion(Refused):
    """Somebody changed the record between reading and writing."""

    code = "version_conflict"
    advice = "Read the session again with session.get and repeat the update with its version."
    retryable = True

    def __init__(self, session_id: str, wanted: int, found: int) -> None:
        super().__init__(
            f"Session {session_id} is at version {found}, not {wanted}.", version=found, wanted=wanted
        )


class NotLive(Refused):
    """The call has no open media stream in this process."""

    code = "not_live"
    advice = "Check its status with session.get; wait until the stream has started."


class TooFast(Refused):
    """A limiter says wait; `retry_after` is how long, in seconds."""

    code = "rate_limited"
    advice = "Wait, then send the same call again."
    retryable = True

    def __init__(self, tool: str, retry_after: float) -> None:
        self.retry_after = retry_after
        super().__init__(
            f"{tool} is at its limit for another {retry_after:.1f} s.",
            retryAfterSeconds=round(retry_after, 3),
        )


class TooMany(Refused):
    """A ceiling is reached; it falls when something else is closed."""

    code = "limit_reached"
    retryable = True


class NotConfigured(Refused):
    """A credential, a setting or an engine is missing."""

    code = "not_configured"


class PolicyDenied(Refused):
    """Whoever runs this server does not want it; the advice names the setting."""

    code = "policy_denied"


class NotAllowed(PolicyDenied):
    """The operator's rules forbid dialling it, and no human can lift them; `rule` names the one."""

    def __init__(self, what: str, *, rule: str, advice: str | None = None) -> None:
        super().__init__(what, advice=advice, rule=rule)


class ApprovalNeeded(Refused):
    """A human has to say yes first. `question` is for them, `key` names exactly what they are asked."""

    code = "approval_required"
    advice = "Your user has to approve it first; then send the same call again."
    retryable = True

    def __init__(self, what: str, *, key: str, question: str, rules: frozenset[str], seconds: float) -> None:
        self.key = key
        self.question = question
        self.rules = rules
        self.seconds = seconds
        super().__init__(what, rules=sorted(rules), expiresInSeconds=seconds)


class ApprovalDenied(Refused):
    """A human said no, or there is nobody to ask."""

    code = "approval_denied"
    advice = "Do not send it again in other words; ask your user what to do instead."


class Broken(VoiceError):
    """Somebody else's fault: a vendor, a carrier, the disk."""

    code = "broken"
    retryable = True


class ProviderFailed(Broken):
    """An ear or a voice failed; the call itself goes on."""

    code = "provider_failed"
    advice = "Call again; if it persists, choose another provider."


class CarrierFailed(Broken):
    """The telephone network refused or failed."""

    code = "carrier_failed"


class Unconfirmed(CarrierFailed):
    """The telephone network was asked, and may have done it: its answer did not come, or was no answer."""

    code = "carrier_unconfirmed"
    advice = "Do not ask for it again before you know."
    retryable = False


class StoreFailed(Broken):
    """The record could not be read or written."""

    code = "store_failed"
    advice = "Nothing was changed. Call again in a moment."


class StoreTooNew(StoreFailed):
    """A later version of this program wrote the database: this one would damage it."""

    code = "store_too_new"
    advice = "Update mcp-voice, or name another database."
    retryable = False


class RecordingFailed(Broken):
    """A recording could not be written, read or removed; the call itself goes on."""

    code = "recording_failed"
    advice = "Let the operator see to the disk and to the folder, MCP_VOICE_RECORDING__FOLDER."
