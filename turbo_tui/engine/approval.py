"""Put irreversible effects before a person, a rule or the headless mode, and log the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from secrets import token_hex
from typing import Literal, Protocol, cast

from turbo_tui.core.errors import ConfigError, ModelRefusedError, UsageError
from turbo_tui.core.events import Answer, ApprovalAnswered, ApprovalAsked
from turbo_tui.core.models import Model, ModelReply, ModelRequest, OnDelta
from turbo_tui.core.policy import Effect
from turbo_tui.core.ports import Ask, Verdict

Approve = Literal["ask", "none", "staged", "all"]
"""Who answers: a person (`ask`), or headless: nothing lands, checked steps land, all is granted."""

Append = Callable[[ApprovalAsked | ApprovalAnswered, str], object]
Rules = Callable[[Ask], tuple[Effect, str]]
"""What a rule says about an ask, and the rule's words."""


def no_rules(ask: Ask) -> tuple[Effect, str]:
    """Leave every ask to the person."""
    del ask
    return "ask", ""


class Consents(Protocol):
    """Hosts the user agreed to send to."""

    def has(self, host: str) -> bool:
        """Tell whether the user once agreed."""
        ...

    def give(self, host: str, what: str) -> None:
        """Remember that the user agreed that `what` goes to `host`."""
        ...


class Answers(Protocol):
    """What was answered once for a project, kept by the user."""

    def has(self, action: str, subject: str) -> bool:
        """Tell whether exactly this was once allowed."""
        ...

    def give(self, action: str, subject: str) -> None:
        """Keep that this is allowed.

        Raises:
            ConfigError: It cannot be kept.
        """
        ...


class Asks:
    """Ask before an effect; remember `step` and `plan` answers for equal asks.

    Args:
        answers: Keeps what is answered for the project; whatever may be allowed for a plan may
            then be allowed for the project. None keeps nothing beyond the session.

    Attributes:
        refused_by_mode: Headless mode refused something that a person might have allowed.
    """

    def __init__(
        self,
        append: Append,
        *,
        approve: Approve = "ask",
        rules: Rules = no_rules,
        answers: Answers | None = None,
    ) -> None:
        self.refused_by_mode = False
        self._answers = answers
        self._append = append
        self._approve = approve
        self._rules = rules
        self._waiting: dict[str, tuple[Ask, asyncio.Future[Verdict]]] = {}
        self._granted: set[tuple[str, str, str]] = set()

    async def ask(self, ask: Ask) -> Verdict:
        """Return the answer of a rule, the headless mode or the person."""
        ask = replace(ask, scopes=self.offered(ask))
        ask_id = f"ask-{token_hex(4)}"
        self._append(
            ApprovalAsked(
                ask_id=ask_id,
                step_id=ask.step_id,
                action=ask.action,
                subject=ask.subject,
                reason=ask.reason,
                scopes=cast("tuple[Answer, ...]", ask.scopes),
            ),
            "engine",
        )
        settled = self.settled(ask)
        if settled is not None:
            verdict, by_rule = settled
            answer: Answer = "once" if verdict.allowed else "no"
            self._append(ApprovalAnswered(ask_id, answer, verdict.feedback, by_rule), "engine")
            return verdict
        future: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        self._waiting[ask_id] = ask, future
        try:
            return await future
        except asyncio.CancelledError:
            if ask_id in self._waiting:
                self._append(ApprovalAnswered(ask_id, "no", "cancelled"), "engine")
            raise
        finally:
            self._waiting.pop(ask_id, None)

    def answer(self, ask_id: str, answer: Answer, feedback: str = "") -> None:
        """Settle a waiting ask as the user.

        Raises:
            UsageError: Nothing waits under that id.
        """
        waiting = self._waiting.pop(ask_id, None)
        if waiting is None:
            raise UsageError("That question no longer waits for an answer.")
        ask, future = waiting
        if answer not in {*ask.scopes, "no"}:
            self._waiting[ask_id] = waiting
            raise UsageError(f"This question cannot be answered with {answer!r}.")
        if answer == "project" and self._answers is not None:
            try:
                self._answers.give(ask.action, ask.subject)
            except ConfigError:
                self._waiting[ask_id] = waiting  # still to be answered, another way
                raise
        if answer in {"step", "plan"}:
            self._granted.add(self._scope_key(ask, answer))
        self._append(ApprovalAnswered(ask_id, answer, feedback), "user")
        if not future.done():
            future.set_result(Verdict(answer != "no", feedback))

    def offered(self, ask: Ask) -> tuple[str, ...]:
        """Return the answers that a question can be given."""
        known = self._answers is not None and "plan" in ask.scopes
        return _with_project(ask.scopes) if known else ask.scopes

    def settled(self, ask: Ask) -> tuple[Verdict, str] | None:
        """Return the verdict that needs no person, and what it rests on; None when one does."""
        effect, rule = self._rules(ask)
        if effect == "deny":
            return Verdict(allowed=False, feedback=f"denied by rule: {rule}"), rule
        if effect == "allow":
            return Verdict(allowed=True), rule
        scope = self._granted_for(ask)
        if scope:
            return Verdict(allowed=True), f"allowed for this {scope}"
        if self._approve == "all":
            return Verdict(allowed=True), "--approve all"
        if self._approve in {"none", "staged"}:
            self.refused_by_mode = True
            return Verdict(allowed=False, feedback="no person is there to ask"), (
                f"--approve {self._approve}"
            )
        return None

    def forget(self) -> None:
        """End what was granted for a step or a plan: there is another task now."""
        self._granted.clear()

    def _granted_for(self, ask: Ask) -> str:
        """Return for what an equal ask was allowed before; empty when it was not."""
        if self._answers is not None and self._answers.has(ask.action, ask.subject):
            return "project"
        scopes = (each for each in ("step", "plan") if self._scope_key(ask, each) in self._granted)
        return next(scopes, "")

    def _scope_key(self, ask: Ask, scope: str) -> tuple[str, str, str]:
        return ask.action, ask.subject, ask.step_id if scope == "step" else "*"


def _with_project(scopes: tuple[str, ...]) -> tuple[str, ...]:
    """Offer the project where a plan is offered, after it."""
    others = [scope for scope in scopes if scope != "project"]
    at = others.index("plan") + 1
    return (*others[:at], "project", *others[at:])


class ConsentedModel:
    """A model that is sent nothing until the user agreed to its host once.

    Args:
        what: What goes there, for the question.
        scope: What is remembered; by default the host.
    """

    def __init__(
        self, model: Model, consents: Consents, asks: Asks, what: str, *, scope: str = ""
    ) -> None:
        self._model = model
        self._consents = consents
        self._asks = asks
        self._what = what
        self._scope = scope or model.host

    @property
    def name(self) -> str:
        """The model's name."""
        return self._model.name

    @property
    def host(self) -> str:
        """Where requests go."""
        return self._model.host

    @property
    def context_tokens(self) -> int:
        """The window's size in tokens."""
        return self._model.context_tokens

    async def complete(self, request: ModelRequest, on_delta: OnDelta | None = None) -> ModelReply:
        """Ask for consent if there is none yet, then ask the model.

        Raises:
            ModelRefusedError: The user (or headless mode) did not agree; nothing was sent.
        """
        if not self._consents.has(self._scope):
            verdict = await self._asks.ask(
                Ask(action="send", subject=self.host, reason=self._what, scopes=("once", "no"))
            )
            if not verdict.allowed:
                raise ModelRefusedError(
                    f"Nothing was sent to {self.host}: {verdict.feedback or 'you said no'}. "
                    "Agree once in the app, or name the model in your config file."
                )
            self._consents.give(self._scope, self._what)
        return await self._model.complete(request, on_delta)

    async def close(self) -> None:
        """Release connections."""
        await self._model.close()
