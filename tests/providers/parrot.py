"""An engine that does as it is told: `Say`'s text is the order, and its sound comes back."""

import os
from threading import Event

import msgspec

from mcp_voice.providers.workers.line import Line
from mcp_voice.providers.workers.messages import Said, Say, Saying, SpeakingAsk


def order(text: str) -> Say:
    """Spell an order."""
    return Say(text, "", 0, False)


def obey(line: Line[SpeakingAsk], text: str) -> None:
    """Do something out of the ordinary."""
    match text:
        case "die":
            os.write(2, b"the parrot is no more\n")
            os._exit(3)
        case "hang":
            Event().wait()
        case "be slow":
            Event().wait(0.15)
        case "print":
            os.write(1, b"Polly wants a cracker\n")
        case "talk nonsense":
            os.write(line._out.fileno(), b"\xff" * 64)


def main() -> None:
    """Repeat what is said."""
    line: Line[SpeakingAsk] = Line(msgspec.msgpack.Decoder(SpeakingAsk))
    for frame in line:
        match frame.ask:
            case Say(text):
                obey(line, text)
                line.reply(frame.job, Saying(), frame.sound)
                line.reply(frame.job, Said())


if __name__ == "__main__":
    main()
