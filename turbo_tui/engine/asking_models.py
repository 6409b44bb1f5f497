"""Ask a model on the record and within caps."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

from turbo_tui.core.errors import BudgetError, ModelError
from turbo_tui.core.events import (
    BudgetReached,
    Event,
    ModelFailed,
    ModelReplied,
    ModelRequested,
    Role,
)
from turbo_tui.core.models import Model, ModelReply, ModelRequest, OnDelta
from turbo_tui.core.ports import Blobs
from turbo_tui.engine.context import estimate_tokens, message_tokens

Append = Callable[[Event], object]

SHOWN_CHARS = 4_000  # of a reply, kept inline in the log for display


@dataclass(frozen=True, slots=True)
class Budget:
    """Caps; None means no cap.

    Attributes:
        max_turns: Requests for one step (or one plan).
        max_seconds: Wall time of one step (or one plan), commands included.
        max_tokens: Tokens in and out of a whole session.
        max_usd: Money of a whole session; replies of unknown price count as nothing.
    """

    max_turns: int | None = 40
    max_seconds: float | None = None
    max_tokens: int | None = None
    max_usd: float | None = None


@dataclass(slots=True)
class Spending:
    """What a session has used so far; one object for all its models.

    Attributes:
        estimated: Some server gave no count, so `tokens` holds estimates.
    """

    tokens: int = 0
    usd: float = 0.0
    estimated: bool = False


class LoggedModel:
    """A model of one step: each request and its outcome go to the log, caps are held.

    It is a `core.models.Model` itself. `request_context` (path -> bytes given) is put into
    the log with each request and may be replaced between requests. `cap_reached` names the
    cap that a BudgetError was about: `turns`, `seconds`, `tokens` or `usd`.
    """

    def __init__(
        self,
        model: Model,
        append: Append,
        blobs: Blobs,
        *,
        role: Role,
        step_id: str = "",
        budget: Budget | None = None,
        spending: Spending | None = None,
        request_context: Mapping[str, int] | None = None,
    ) -> None:
        self._model = model
        self._append = append
        self._blobs = blobs
        self._role: Role = role
        self._step_id = step_id
        self._budget = budget or Budget()
        self._spending = spending or Spending()
        self._turns = 0
        self._began = time.monotonic()
        self.cap_reached = ""
        self.request_context = dict(request_context or {})

    @property
    def name(self) -> str:
        """The model's name as its server knows it."""
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
        """Ask once, on the record.

        Raises:
            BudgetError: A cap was reached, before the request or (time) while it ran.
            ModelError: As the model's own.
        """
        self.check_caps()
        self._turns += 1
        request_id = uuid.uuid4().hex[:16]
        self._append(
            ModelRequested(
                request_id=request_id,
                role=self._role,
                model=self.name,
                host=self.host,
                size_bytes=len(_canonical(asdict(request))),
                step_id=self._step_id,
                context=dict(self.request_context),
            )
        )
        clock = asyncio.timeout(self.seconds_left())
        try:
            async with clock:
                reply = await self._model.complete(request, on_delta)
        except ModelError as error:
            self._append(ModelFailed(request_id, str(error)))
            raise
        except asyncio.CancelledError:
            self._append(ModelFailed(request_id, "cancelled"))
            raise
        except TimeoutError:
            if not clock.expired():
                self._append(ModelFailed(request_id, "the connection timed out"))
                raise
            self._append(ModelFailed(request_id, "stopped: the time cap was reached"))
            raise self.time_reached() from None
        self._record(request_id, request, reply)
        return reply

    async def close(self) -> None:
        """Release the model's connections."""
        await self._model.close()

    def check_caps(self) -> None:
        """Refuse to go on once a cap is reached.

        Raises:
            BudgetError: It names the cap, its value and how to raise it.
        """
        budget, spent = self._budget, self._spending
        if budget.max_turns is not None and self._turns >= budget.max_turns:
            raise self._reached("turns", budget.max_turns)
        if budget.max_tokens is not None and spent.tokens >= budget.max_tokens:
            raise self._reached("tokens", budget.max_tokens)
        if budget.max_usd is not None and spent.usd >= budget.max_usd:
            raise self._reached("usd", budget.max_usd)
        left = self.seconds_left()
        if left is not None and left <= 0:
            raise self._reached("seconds", budget.max_seconds or 0.0)

    def time_reached(self) -> BudgetError:
        """Log that the time cap was reached; return the error to raise."""
        return self._reached("seconds", self._budget.max_seconds or 0.0)

    def grant_seconds(self, seconds: float) -> None:
        """Add time that does not count: the user was thinking about a question."""
        self._began += seconds

    def seconds_left(self) -> float | None:
        """Return what is left of the time cap; None without one."""
        if self._budget.max_seconds is None:
            return None
        return self._began + self._budget.max_seconds - time.monotonic()

    def _reached(self, cap: str, limit: float) -> BudgetError:
        self.cap_reached = cap
        self._append(BudgetReached(self._step_id, cap, float(limit)))
        scope = "this step" if cap in {"turns", "seconds"} else "the session"
        where = f"step {self._step_id}" if self._step_id else "the plan"
        return BudgetError(
            f"The cap of {limit:g} {cap} for {scope} was reached while working on {where}; "
            f"raise `max_{cap}` in the settings, or retry the step."
        )

    def _record(self, request_id: str, request: ModelRequest, reply: ModelReply) -> None:
        usage = reply.usage
        if usage.counted:
            self._spending.tokens += usage.tokens_in + usage.tokens_out
        else:
            replied = reply.text + "".join(call.arguments for call in reply.calls)
            self._spending.tokens += message_tokens(request.messages) + estimate_tokens(replied)
            self._spending.estimated = True
        self._spending.usd += reply.cost_usd or 0.0
        whole = {
            "text": reply.text,
            "calls": [asdict(call) for call in reply.calls],
            "finish": reply.finish,
        }
        self._append(
            ModelReplied(
                request_id=request_id,
                reply=self._blobs.put(_canonical(whole)),
                text=reply.text[:SHOWN_CHARS],
                tool_calls=len(reply.calls),
                tokens_in=usage.tokens_in,
                tokens_out=usage.tokens_out,
                counted=usage.counted,
                cost_usd=reply.cost_usd,
            )
        )


def _canonical(value: object) -> bytes:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")
