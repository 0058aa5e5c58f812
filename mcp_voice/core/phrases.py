"""What we say of our own accord, in the language of the call.

>>> phrase("goodbye", "de-AT"), phrase("goodbye", "cy")
('Auf Wiederhören.', 'Goodbye.')
"""

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

Phrase: TypeAlias = Literal["moment", "repeat", "goodbye", "sorry"]

PHRASES: Final[Mapping[str, Mapping[Phrase, str]]] = {
    "en": {
        "moment": "One moment, please.",
        "repeat": "Could you repeat that, please?",
        "goodbye": "Goodbye.",
        "sorry": "I am sorry, I cannot go on with this call. Please try again later. Goodbye.",
    },
    "de": {
        "moment": "Einen Moment, bitte.",
        "repeat": "Könnten Sie das bitte wiederholen?",
        "goodbye": "Auf Wiederhören.",
        "sorry": "Es tut mir leid, ich kann dieses Gespräch nicht fortsetzen. Bitte versuchen Sie es später "
        "noch einmal. Auf Wiederhören.",
    },
    "es": {
        "moment": "Un momento, por favor.",
        "repeat": "¿Podría repetirlo, por favor?",
        "goodbye": "Adiós.",
        "sorry": "Lo siento, no puedo continuar con esta llamada. Por favor, inténtelo más tarde. Adiós.",
    },
    "fr": {
        "moment": "Un instant, s'il vous plaît.",
        "repeat": "Pourriez-vous répéter, s'il vous plaît ?",
        "goodbye": "Au revoir.",
        "sorry": "Désolé, je ne peux pas continuer cet appel. Veuillez rappeler plus tard. Au revoir.",
    },
}
"""By language; where there is none it is English."""


def phrase(which: Phrase, language: str) -> str:
    """Return a phrase in the language of a BCP 47 tag."""
    tongue = language.replace("_", "-").partition("-")[0].lower()
    return PHRASES.get(tongue, PHRASES["en"])[which]


FILLERS: Final[Mapping[str, tuple[str, ...]]] = {
    "en": ("One moment.", "Let me see.", "Just a second."),
    "de": ("Einen Moment.", "Ich sehe nach.", "Einen Augenblick."),
    "es": ("Un momento.", "Déjeme ver.", "Un segundo."),
    "fr": ("Un instant.", "Je regarde.", "Une seconde."),
}
"""What passes the time while the agent thinks. Where there is none nothing is said: a wait in silence is
better than words that are not understood."""


def fillers(language: str) -> tuple[str, ...]:
    """Return what may be said in the language of a BCP 47 tag while the agent thinks."""
    return FILLERS.get(language.replace("_", "-").partition("-")[0].lower(), ())
