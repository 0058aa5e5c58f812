"""TwiML's grammar: each verb and noun, its attributes, and what may stand in it.

https://www.twilio.com/docs/voice/twiml
"""

from collections.abc import Mapping
from typing import Final

_RECORDING: Final = "recordingStatusCallback recordingStatusCallbackMethod recordingStatusCallbackEvent"
_STATUS: Final = "statusCallbackEvent statusCallback statusCallbackMethod"
_AMD: Final = (
    "machineDetection amdStatusCallback amdStatusCallbackMethod machineDetectionTimeout "
    "machineDetectionSpeechThreshold machineDetectionSpeechEndThreshold machineDetectionSilenceTimeout"
)
_STREAM: Final = "name connectorName url track statusCallback statusCallbackMethod audioFormat sampleRate"
_TRANSCRIPTION: Final = (
    "name track statusCallbackUrl statusCallbackMethod inboundTrackLabel outboundTrackLabel partialResults "
    "languageCode transcriptionEngine profanityFilter speechModel hints enableAutomaticPunctuation "
    "intelligenceService conversationConfiguration conversationId enableProviderData"
)
_RELAY: Final = (
    "url welcomeGreeting welcomeGreetingInterruptible language ttsLanguage transcriptionLanguage ttsProvider "
    "voice transcriptionProvider speechModel profanityFilter dtmfDetection interruptible "
    "interruptSensitivity preemptible reportInputDuringAgentSpeech partialPrompts partialPromptOnHangup "
    "hints eotThreshold eagerEotThreshold speechTimeout deepgramSmartFormat asrSmartFormat "
    "ttsTextNormalization elevenlabsTextNormalization ttsLanguageTextNormalization ignoreBackchannel "
    "backgroundNoiseReduction echoPromptFiltering turnDetection includeInPrompt events debug "
    "intelligenceService conversationConfiguration conversationId customerName applicationReconnect"
)

ATTRIBUTES: Final[Mapping[str, frozenset[str]]] = {
    noun: frozenset(words.split())
    for noun, words in {
        "Response": "",
        "Say": "voice loop language",
        "Play": "loop digits",
        "Pause": "length",
        "Gather": "input action method timeout speechTimeout maxSpeechTime profanityFilter finishOnKey "
        "numDigits partialResultCallback partialResultCallbackMethod language hints bargeIn debug "
        "actionOnEmptyResult speechModel enhanced",
        "Record": f"action method timeout finishOnKey maxLength playBeep trim transcribe transcribeCallback "
        f"recordingConfigurationId {_RECORDING}",
        "Dial": f"action method timeout hangupOnStar timeLimit callerId record trim recordingTrack "
        f"recordingConfigurationId answerOnBridge ringTone sequential referUrl referMethod events passports "
        f"{_RECORDING}",
        "Number": f"sendDigits url method byoc {_STATUS} {_AMD}",
        "Sip": f"username password url method {_STATUS} {_AMD}",
        "Client": f"url method {_STATUS}",
        "Identity": "",
        "Conference": "muted beep startConferenceOnEnter endConferenceOnExit waitUrl waitMethod "
        "maxParticipants record recordingConfigurationId region coach trim eventCallbackUrl "
        f"jitterBufferSize participantLabel {_STATUS} {_RECORDING}",
        "Queue": "url method reservationSid postWorkActivitySid",
        "Connect": "action method",
        "Start": "action method",
        "Stop": "",
        "Stream": _STREAM,
        "ConversationRelay": _RELAY,
        "Language": "code ttsProvider voice transcriptionProvider speechModel hints asrSmartFormat "
        "ttsTextNormalization ttsLanguageTextNormalization",
        "Parameter": "name value",
        "Transcription": _TRANSCRIPTION,
        "Recording": f"trim track channels recordingConfigurationId {_RECORDING}",
        "Siprec": "name connectorName track statusCallback statusCallbackMethod",
        "Redirect": "method",
        "Reject": "reason",
        "Hangup": "",
        "Enqueue": "action maxQueueSize method waitUrl waitUrlMethod workflowSid",
        "Leave": "",
    }.items()
}

CHILDREN: Final[Mapping[str, frozenset[str]]] = {
    noun: frozenset(words.split())
    for noun, words in {
        "Response": "Say Play Pause Gather Record Dial Connect Start Stop Redirect Reject Hangup "
        "Enqueue Leave",
        "Gather": "Say Play Pause",
        "Dial": "Number Sip Client Conference Queue",
        "Client": "Identity Parameter",
        "Connect": "Stream ConversationRelay",
        "Start": "Stream Transcription Recording Siprec",
        "Stop": "Stream Transcription Siprec",
        "Stream": "Parameter",
        "Siprec": "Parameter",
        "ConversationRelay": "Language Parameter",
    }.items()
}

SPOKEN: Final = frozenset({"Say"})
"""What holds text marked up in SSML, which has tags of its own."""
