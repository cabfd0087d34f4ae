"""A server that plays a fault for each question: which one, and for which operation, says the path of the question."""

import ssl
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Optional

from support.scripted_gateway import HOST

from faults.answers import Question, beside, good
from faults.listener import Listener
from faults.peer import Peer

Play = Callable[[Peer, str], None]
"""What is done about an operation's question, whose head has come and, over a plain connection, is not yet read."""


class FaultServer(Listener):
    """`plays` are the faults of the operations' own questions, and `plays_beside` those of the questions beside them.

    What they do not name is answered well.
    """

    def __init__(
        self,
        plays: Mapping[str, Play],
        plays_beside: Optional[Mapping[str, Play]] = None,
        tls: Optional[ssl.SSLContext] = None,
    ) -> None:
        super().__init__(self._talk)
        self._plays = _by_segment(plays)
        self._plays_beside = _by_segment(plays_beside or {})
        self._tls = tls
        self._played: Counter[tuple[str, str]] = Counter()

    def url(self, fault: str, operation: str) -> str:
        """The gateway at which this operation meets this fault."""
        return f"{'https' if self._tls else 'http'}://{HOST}:{self.port}/{segment(fault)}/{operation}"

    def has_played(self, fault: str, operation: str) -> bool:
        return self._played[segment(fault), operation] > 0

    def _talk(self, peer: Peer) -> None:
        if self._tls:
            peer.connection = self._tls.wrap_socket(peer.connection, server_side=True)
        while True:
            self._answer(peer)
            peer.is_reused = True

    def _answer(self, peer: Peer) -> None:
        question = Question.of(peer.head())
        play = (self._plays if question.is_own else self._plays_beside).get(question.fault)
        if play:
            self._played[question.fault, question.operation] += 1
            play(peer, question.operation)
        else:
            peer.take()
            peer.send(good(question.operation) if question.is_own else beside(question))


def segment(fault: str) -> str:
    """A fault's name as a part of a path."""
    return "".join(letter if letter.isalnum() else "-" for letter in fault)


def _by_segment(plays: Mapping[str, Play]) -> dict[str, Play]:
    return {segment(name): play for name, play in plays.items()}
