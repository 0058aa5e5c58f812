"""The gate to the telephone network: `core/policy.py`, with a clock, a log and humans.

    admit(wish)   judge → allow: set aside, let through
                          ask:   the question, `ApprovalNeeded`; or, if it has been answered, the answer
                          deny:  `NotAllowed`

Nothing is awaited between the judgement and the reservation, so as many calls
as the caps allow get through, however many ask at once.
"""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import structlog

from mcp_voice.core.counts import Counts
from mcp_voice.core.numbers import Number
from mcp_voice.core.policy import Rules, Verdict, Wish, judge, sentences
from mcp_voice.core.usage import Admission, Usage
from mcp_voice.errors import ApprovalDenied, ApprovalNeeded, NotAllowed
from mcp_voice.ports import utc_now
from mcp_voice.server.approvals import SECONDS, Approvals, Errand, errand
from mcp_voice.settings import Outbound

log = structlog.get_logger(__name__)


class Porter:
    """Keeps the gate."""

    def __init__(
        self,
        rules: Rules,
        approvals: Approvals,
        counts: Counts,
        *,
        disclosure: str | None = None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.usage = Usage()
        self._rules = rules
        self._approvals = approvals
        self._counts = counts
        self._disclosure = disclosure
        self._now = now

    async def admit(self, wish: Wish) -> Admission:
        """Give leave to dial, and set its dearest aside."""
        now, asks = self._now(), errand()
        key = asks.key(wish.to, wish.purpose, wish.max_minutes)
        answered = self._approvals.stands(key)
        approved = answered if answered and answered.state == "approved" else None
        verdict = judge(wish, self._rules, self.usage, now, approved.rules if approved else frozenset())
        to = verdict.destination.dialled
        log.info("dial_judged", verdict=verdict.what, rule=verdict.rule, last4=to[-4:] if len(to) > 6 else "")
        if verdict.what == "deny":
            self._counts.policy_denied[verdict.rule] += 1
            raise NotAllowed(verdict.sentence, rule=verdict.rule, advice=verdict.advice)
        if verdict.what == "ask":
            if answered and answered.state == "declined":
                raise ApprovalDenied(f"{verdict.sentence} Your user declined the call.", rule=verdict.rule)
            self._counts.policy_asked[verdict.rule] += 1
            raise ApprovalNeeded(
                verdict.sentence,
                key=key,
                question=question(verdict, self._rules, asks, wish),
                rules=verdict.rules,
                seconds=SECONDS,
            )
        if verdict.rule == "simulated":
            return Admission(to, verdict.minutes)
        if approved:
            self._approvals.drop(approved.token)
        return self.usage.reserve(to, verdict.minutes, self._rules.price, now, self._disclosure)


def question(verdict: Verdict, rules: Rules, asks: Errand, wish: Wish) -> str:
    """Say to a human exactly what will be done, and why they are asked.

    What the agent writes is quoted, and stays on its line: it cannot pass for ours.
    """
    to = verdict.destination
    where = f" ({to.region or 'nowhere'}, {to.kind})" if isinstance(to, Number) else ""
    given = asks.arguments or {"to": wish.to, "purpose": wish.purpose}
    return "\n".join(
        (
            f"Dial {to.dialled}{where} for at most {verdict.minutes} minutes, "
            f"at a cost of at most {verdict.minutes * rules.price:.2f}?",
            *(f"Why you are asked: {sentence}" for sentence in sentences(verdict.rules)),
            f"What the agent gave {asks.tool or 'the server'}:",
            *(f"  {_quoted(name)}: {_quoted(value)}" for name, value in given.items()),
        )
    )


def rules_of(outbound: Outbound) -> Rules:
    """The policy's rules as the operator has set them."""
    return Rules(
        home=outbound.home,
        countries=frozenset(outbound.countries),
        numbers=frozenset(outbound.numbers),
        domains=frozenset(name if name.startswith("client:") else name.lower() for name in outbound.domains),
        denied=outbound.denied,
        do_not_call=frozenset(outbound.do_not_call),
        concurrent=outbound.concurrent,
        per_number=outbound.per_number_per_day,
        calls=outbound.calls_per_day,
        minutes=outbound.minutes_per_day,
        spend=outbound.spend_per_day,
        price=outbound.price_per_minute,
        ask_above=outbound.ask_above,
        max_minutes=outbound.max_minutes,
        hours=(outbound.from_hour, outbound.until_hour) if outbound.quiet_hours else None,
        approval=outbound.approval,
    )


def _quoted(value: Any) -> str:
    """Write a value as JSON on one line, with nothing in it that does not show."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text)
