"""`mcp-voice simulate`: call a media socket as Twilio would, and say how it went.

The live log goes to stderr, the summary to stdout. Exit status: 0 when each
side was heard by the other, 1 when not, 2 when the arguments cannot be used.
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mcp_voice.errors import CarrierFailed, VoiceError
from mcp_voice.simulator import rehearsal
from mcp_voice.simulator.twilio import cli as twilio

if TYPE_CHECKING:
    from mcp_voice.simulator.line import Happening
    from mcp_voice.simulator.report import CallReport
    from mcp_voice.simulator.script import Step

DESCRIPTION: Final = """\
Call a media socket as Twilio would: no telephone, no account, no key.

Audio leaves in frames of 20 ms as on a real stream, silence included; what comes
back is played in real time, marks and clears are answered, and every mistake that
Twilio would drop without a word is reported under Twilio's number (319xx)."""

EXAMPLES: Final = """\
examples:
  mcp-voice simulate --list
      The bundled callers: what they say.

  mcp-voice simulate --url ws://127.0.0.1:8080/twilio/media --say book-a-table --wait-for-answer 10
      Say something, wait for the answer, hang up.

  mcp-voice simulate --url ws://127.0.0.1:8080/twilio/media --greeting 10 \\
      --say book-a-table,for-four --audio my-voice.wav --wait-for-answer 10 --out call
      Let the agent speak first, then three sentences; keep call/call.wav (left: caller,
      right: agent) and call/report.json.

  mcp-voice simulate --url wss://voice.example.com/twilio/media --param sessionId=sess_1 \\
      --token "$TWILIO_AUTH_TOKEN" --say hello --digits 123#
      A signed call to a server that checks signatures, and keys.

  mcp-voice simulate run restaurant --n 10
      A person who hears, thinks and answers (see simulate run --help, simulate people).

  mcp-voice simulate twilio
      Be Twilio, REST and webhooks included, for a server on this machine.

exit status: 0 each side heard the other; 1 not so; 2 the arguments cannot be used
"""


class _Sounds(argparse.Action):
    """Collect `--say` and `--audio` in the order they are given."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        args: argparse.Namespace,
        values: Any,
        option: str | None = None,
    ) -> None:
        kind = Path if option == "--audio" else str
        said = [kind(name.strip()) for name in values.split(",") if name.strip()]
        setattr(args, self.dest, (getattr(args, self.dest) or []) + said)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Teach a parser the arguments of `simulate`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description, parser.epilog = DESCRIPTION, EXAMPLES
    add = parser.add_argument
    add("--url", metavar="URL", help="the media socket: ws://… on this machine, wss://… elsewhere")
    add(
        "--say",
        dest="sounds",
        action=_Sounds,
        metavar="NAME[,NAME…]",
        help="say bundled recordings (see --list)",
    )
    add(
        "--audio", dest="sounds", action=_Sounds, metavar="FILE[,FILE…]",
        help="say files: WAV (16-bit PCM, mu-law or A-law, any rate) or raw mu-law in .ulaw",
    )  # fmt: skip
    add("--digits", default="", metavar="KEYS", help="then press keys: 0-9 * # A-D, w waits half a second")
    add("--greeting", type=float, metavar="SECONDS", help="first wait so long for the agent to speak")
    add("--wait-for-answer", type=float, metavar="SECONDS", help="wait so long for an answer to each sound")
    add("--linger", type=float, default=1.0, metavar="SECONDS", help="stay on the line before hanging up (1)")
    add("--pace", choices=("real", "fast"), default="real", help="fast: say everything at once (real)")
    add("--out", type=Path, metavar="DIR", help="write call.wav and report.json there")
    add(
        "--param", dest="parameters", action="append", default=[], metavar="KEY=VALUE",
        help="a custom parameter of the stream; may be repeated",
    )  # fmt: skip
    add("--token", metavar="AUTH_TOKEN", help="sign the upgrade as Twilio does with this auth token")
    add("--signed-url", metavar="URL", help="sign this address instead of --url: the server's public one")
    add("--list", action="store_true", help="list the bundled callers and stop")
    rehearsal.add_arguments(parser)


def run(
    args: argparse.Namespace, vendors: rehearsal.Vendors | None = None, serve: twilio.Serve | None = None
) -> int:
    """Place the call; return the exit status. `vendors` opens ears and voices for people who need them."""
    if args.deed == "twilio":
        return twilio.run(args, vendors, serve)
    if args.deed:
        return rehearsal.run(args, vendors)
    if args.list:
        return _list()
    import asyncio

    from mcp_voice.simulator.dialling import check
    from mcp_voice.simulator.script import place_call

    try:
        script, how = _script(args), _how(args)
        check(args.url)
        if args.out:
            args.out.mkdir(parents=True, exist_ok=True)
    except (VoiceError, _Wrong) as error:
        return _refuse(f"{error}")
    except OSError as error:
        return _refuse(f"--out {args.out} cannot be used: {error.strerror}. Name another folder.")
    try:
        report = asyncio.run(place_call(args.url, script, **how))
    except CarrierFailed as error:
        _log(f"No call: {error}")
        return 1
    except VoiceError as error:
        return _refuse(f"{error}")
    except KeyboardInterrupt:
        _log("Interrupted; the call was hung up.")
        return 1
    if args.out:
        report.write(args.out)
    return _conclude(report, args.out)


class _Wrong(Exception):
    """An argument that cannot be used; the sentence says what to do."""


def _list() -> int:
    from mcp_voice.simulator.sounds import bundled

    for recording in bundled().values():
        clear = (
            "" if recording.dictation_ok or not recording.text else "  (for grammars; dictation mishears it)"
        )
        words = recording.text or f"({recording.voice})"
        sys.stdout.write(f"{recording.name:20} {recording.seconds:4.1f} s  {words}{clear}\n")
    return 0


def _script(args: argparse.Namespace) -> "list[Step]":
    """Turn the arguments into steps. Raises `_Wrong`."""
    from mcp_voice.simulator.script import Listen, Press, Say, Silence

    if not args.url:
        raise _Wrong("--url is missing: name the socket to call, as --url ws://127.0.0.1:8080/twilio/media.")
    if not args.sounds and not args.digits:
        raise _Wrong(
            "nothing to say: add --say NAME (--list shows the names), --audio FILE or --digits KEYS."
        )
    for option in ("greeting", "wait_for_answer", "linger"):
        if (seconds := getattr(args, option)) is not None and not 0 <= seconds <= 3_600:
            raise _Wrong(f"--{option.replace('_', '-')} {seconds:g} is not from 0 to 3600 seconds.")
    steps: list[Step] = [Listen(args.greeting)] if args.greeting else []
    answer = [Listen(args.wait_for_answer)] if args.wait_for_answer else []
    for sound in args.sounds or []:
        steps += [Say(sound), *answer]
    if args.digits:
        steps += [Press(args.digits), *answer]
    return [*steps, Silence(args.linger)]


def _how(args: argparse.Namespace) -> dict[str, Any]:
    """Read what `Caller` wants to know. Raises `_Wrong`."""
    parameters = {}
    for pair in args.parameters:
        name, equals, value = pair.partition("=")
        if not name or not equals:
            raise _Wrong(f"--param {pair} is not KEY=VALUE: write it as --param sessionId=sess_1.")
        parameters[name] = value
    return {
        "parameters": parameters, "pace": args.pace, "token": args.token, "signed_url": args.signed_url,
        "on_happening": _tell,
    }  # fmt: skip


def _tell(happening: "Happening") -> None:
    details = ", ".join(
        f"{name} {value:.3f}" if isinstance(value, float) else f"{name} {value}"
        for name, value in happening.data.items()
    )
    _log(f"{happening.at:8.2f} s  {happening.kind.replace('_', ' ')}{': ' if details else ''}{details}")


def _conclude(report: "CallReport", out: Path | None) -> int:
    sys.stdout.write(report.summary() + "\n")
    if out:
        sys.stdout.write(f"Kept {out / 'call.wav'} and {out / 'report.json'}.\n")
    if report.both_heard:
        return 0
    if not report.tally.media_received:
        _log("The agent sent no audio. Does the server answer `media` on this URL?")
    elif not report.agent_talks:
        _log("The agent sent only silence, or nothing of it was played: stay longer with --linger.")
    else:
        _log("The agent heard nothing: what was said is inaudible.")
    return 1


def _refuse(why: str) -> int:
    _log(f"mcp-voice simulate: {why}")
    return 2


def _log(line: str) -> None:
    sys.stderr.write(line + "\n")
