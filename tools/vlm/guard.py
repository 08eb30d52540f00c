"""One exchange with an endpoint: its deadline, and its errors in our words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tools.errors import VlmError, VlmInvalid, VlmTimeout, VlmTruncated
from tools.vlm.endpoint import shown_url


class Guard:
    """Guards exchanges with one endpoint; its errors name the endpoint and never tell the key."""

    def __init__(self, base_url: str, api_key: str | None) -> None:
        self._base_url = base_url
        self._api_key = api_key

    @asynccontextmanager
    async def within(self, timeout_s: float) -> AsyncIterator[None]:
        """One exchange, which may last this many seconds.

        Raises:
            VlmError: the exchange failed, in whatever way of the lower library's.
        """
        import openai

        from tools.vlm.wire import UNREADABLE, translate

        try:
            async with asyncio.timeout(timeout_s):
                yield
        except TimeoutError as exc:
            raise self._about_here(
                VlmTimeout(f"no answer within {timeout_s:g} s; raise the timeout or lighten the load")
            ) from exc
        except VlmError as exc:
            raise self._about_here(exc) from self._unless_telling(exc.__cause__)
        except openai.OpenAIError as exc:
            raise self._about_here(translate(exc)) from self._unless_telling(exc)
        except UNREADABLE as exc:
            raise self._about_here(
                VlmInvalid("the endpoint's answer claims to be JSON and is not; see the server's log")
            ) from self._unless_telling(exc)

    def _about_here(self, error: VlmError) -> VlmError:
        """The same error, naming the endpoint, with the key struck out if the server repeats it."""
        message = f"{error} [{shown_url(self._base_url)}]"
        named = type(error)(message.replace(self._api_key, "***") if self._api_key else message)
        if isinstance(error, VlmTruncated) and isinstance(named, VlmTruncated):
            named.text = error.text
        return named

    def _unless_telling(self, cause: BaseException | None) -> BaseException | None:
        """A cause that may stand in a traceback: none if the server's words in it repeat the key."""
        telling = cause is not None and self._api_key is not None and self._api_key in f"{cause!s} {cause!r}"
        return None if telling else cause
