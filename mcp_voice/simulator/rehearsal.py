"""`mcp-voice simulate run` and `people`: let simulated people call a server, and judge it.

Tables go to stdout, what is going on to stderr. Exit status: 0 when every call
was as the persona expects, 1 when one was not, 2 when the arguments cannot be used.
"""

import argparse
import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from mcp_voice.errors import Invalid, NotConfigured, VoiceError
from mcp_voice.ports import Providers
from mcp_voice.simulator.twilio import cli as twilio

if TYPE_CHECKING:
    from mcp_voice.simulator.persona import Persona
    from mcp_voice.simulator.trials import Trial

Vendors: TypeAlias = Callable[[], Providers]
"""Opens the ears and voices of this machine."""

MEDIA: Final = "ws://127.0.0.1:8765/twilio/media"
MCP: Final = "http://127.0.0.1:8766/mcp"
MOST: Final = 10_000

RUN: Final = """\
Let a simulated person call a media socket, once or many times, and judge the calls.

The person hears the agent, answers by the rules of its persona, and hangs up. Each
call is as expected or not (the persona's `expect`), and the time from the person's
last sound to the agent's next first one is measured."""

RUN_EXAMPLES: Final = """\
examples:
  mcp-voice simulate run restaurant
      One call to a server on this machine: a person who hears what is said.

  mcp-voice simulate run restaurant --n 50 --parallel 5 --scripted --junit calls.xml
      Fifty calls, five at once. The person is told the words by the server's own record
      (session.get at --mcp), so that nothing is misheard; results for a CI.

  mcp-voice simulate run my/butcher.yaml --url wss://voice.example.com/twilio/media \\
      --token "$TWILIO_AUTH_TOKEN"
      A persona of yours, against a server that checks signatures.

exit status: 0 every call as expected; 1 not so; 2 the arguments cannot be used
"""

PEOPLE: Final = "List the simulated people: who they are, and what they expect of an agent."

PEOPLE_EXAMPLES: Final = """\
An agent reaches them at sim:NAME; `simulate run NAME` lets them call.

A persona of yours is a file of YAML in a folder (--personas, or MCP_VOICE_SIMULATOR__PERSONAS):

  description: A butcher who is asked for opening hours.
  voice: {voice: en-gb+m3, speed: 1.1}   # the voice engine's; language
  rings: 2            # seconds before it picks up; answers: busy, or no_answer
  thinks: 0.6         # seconds of silence before it speaks; patience: seconds of the whole call
  yields: true        # false is a machine: it neither waits nor stops
  noise: -55          # of the room, in dB; packet_loss: 0.01
  phrases: [are you open, when do you open, goodbye]     # for its ear; or grammar: JSGF
  remember: {day: '\\b(monday|sunday)\\b'}                 # facts, in whatever is said
  states:
    hello:
      say: Butcher's, hello.
      when:
        - {knows: day, goto: hours}
        - {words: [open, hours], goto: hours}
        - {silence: 5, say: 'Hello?', times: 2}
        - {silence: 5, goto: bye}
    hours:
      say: 'On {day} we open at nine.'
      goto: bye
    bye: {hang_up: true}
  expect: {reached: hours, facts: {day: monday}, ended_by: person, answers_within: 3}

What a state or a rule does: say, press (keys), beep, music (seconds), hang_up, goto.
What a rule waits for: words, matches (a pattern; named groups are facts), digits, any,
silence, after, barge_in_after (seconds); knows and lacks (facts); times. A state with
`unless: day` goes straight to its `goto` when that fact is known.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Teach the parser of `simulate` the words behind it."""
    words = parser.add_subparsers(dest="deed", metavar="run | people | twilio")
    raw = argparse.RawDescriptionHelpFormatter
    run_ = words.add_parser(
        "run", help="let a persona call", description=RUN, epilog=RUN_EXAMPLES, formatter_class=raw
    )
    add = run_.add_argument
    add("scenario", help="a persona's name (see people), or a YAML file")
    add("--n", type=int, default=1, metavar="N", help="how many calls (1)")
    add("--parallel", type=int, default=1, metavar="N", help="how many at once (1)")
    add("--url", default=MEDIA, help=f"the media socket ({MEDIA})")
    add("--scripted", action="store_true", help="no ear: take the agent's words from the server's record")
    add("--mcp", default=MCP, metavar="URL", help=f"where that record is read ({MCP})")
    add("--mcp-token", metavar="TOKEN", help="what the server's MCP listener wants presented")
    add("--personas", type=Path, metavar="DIR", help="a folder with more personas")
    add(
        "--param", dest="parameters", action="append", default=[], metavar="KEY=VALUE",
        help="a custom parameter of each stream; may be repeated",
    )  # fmt: skip
    add("--junit", type=Path, metavar="FILE", help="write the results as JUnit XML")
    add("--out", type=Path, metavar="DIR", help="keep each call: DIR/1/call.wav, report.json, words.txt")
    add("--token", metavar="AUTH_TOKEN", help="sign the upgrade as Twilio does with this auth token")
    add("--signed-url", metavar="URL", help="sign this address instead of --url: the server's public one")
    people = words.add_parser(
        "people", help="list the personas", description=PEOPLE, epilog=PEOPLE_EXAMPLES, formatter_class=raw
    )
    people.add_argument("--personas", type=Path, metavar="DIR", help="a folder with more of them")
    twilio.add_arguments(words)


def run(args: argparse.Namespace, vendors: Vendors | None) -> int:
    """Do what is asked; return the exit status. Raises nothing that a person could not read."""
    try:
        if args.deed == "people":
            return _people(args)
        name, persona = _checked(args)
        trials = asyncio.run(_call(args, persona, vendors))
    except VoiceError as error:
        sys.stderr.write(f"mcp-voice simulate {args.deed}: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted; the calls were hung up.\n")
        return 1
    return _conclude(args, name, trials)


def _people(args: argparse.Namespace) -> int:
    from mcp_voice.simulator.casting import people, read

    for name, path in people([args.personas] if args.personas else []).items():
        sys.stdout.write(f"{name:16} {read(path).description}\n")
    return 0


def _checked(args: argparse.Namespace) -> "tuple[str, Persona]":
    """Look at the arguments before anybody is called. Raises `VoiceError`."""
    from mcp_voice.simulator.casting import scenario
    from mcp_voice.simulator.dialling import check

    check(args.url)
    for option, value in (("--n", args.n), ("--parallel", args.parallel)):
        if not 1 <= value <= MOST:
            raise Invalid(f"{option} {value} is not from 1 to {MOST}.", advice="Correct it.")
    _parameters(args)
    name, persona = scenario(args.scenario, [args.personas] if args.personas else [])
    if persona.answers != "picks_up":
        raise Invalid(f"{name} never talks to anybody.", advice=f"It can only be called, at sim:{name}.")
    for path in (args.junit.parent if args.junit else None, args.out):
        try:
            if path is not None:
                path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Invalid(f"{path} cannot be used: {error.strerror}.", advice="Name another.") from None
    return name, persona


def _parameters(args: argparse.Namespace) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in args.parameters]
    for name, equals, value in pairs:
        if not (name and equals):
            raise Invalid(f"--param {name}{equals}{value} is not KEY=VALUE.", advice="Correct it.")
    return {name: value for name, _, value in pairs}


async def _call(args: argparse.Namespace, persona: "Persona", vendors: Vendors | None) -> "list[Trial]":
    from mcp_voice.simulator.people import Senses
    from mcp_voice.simulator.telling import follow, record_at
    from mcp_voice.simulator.trials import Calling

    if vendors is None:
        raise NotConfigured("There is no voice engine to speak with.", advice="Run mcp-voice simulate run.")
    providers = vendors()
    try:
        senses = Senses(providers.voice(), None if args.scripted else providers.ear())
        how = {"token": args.token, "signed_url": args.signed_url, "parameters": _parameters(args)}
        calling = Calling(persona, args.url, senses, how=how)
        if args.scripted:
            calling.told = lambda call_sid: follow(record_at(args.mcp, call_sid, args.mcp_token))
        return await calling.often(args.n, args.parallel, lambda trial: _tell(trial, args.n))
    finally:
        await providers.aclose()


def _tell(trial: "Trial", calls: int) -> None:
    why = "; ".join(trial.faults) or "as expected"
    sys.stderr.write(f"call {trial.number} of {calls}: {why}\n")


def _conclude(args: argparse.Namespace, name: str, trials: "list[Trial]") -> int:
    from mcp_voice.simulator.trials import junit, latencies, table, transcript

    sys.stdout.write(f"{table(trials)}\n{latencies(trials)}\n")
    if args.junit:
        args.junit.write_bytes(junit(name, trials))
    for trial in trials if args.out else ():
        if trial.encounter is not None:
            folder = args.out / str(trial.number)
            trial.encounter.report.write(folder)
            (folder / "words.txt").write_text(transcript(trial) + "\n")
    return 0 if all(trial.passed for trial in trials) else 1
