"""Whether a signal asked a worker to end; told from its handler, where a threading.Event might wait for itself."""

from queue import Empty, SimpleQueue


class End:
    def __init__(self) -> None:
        self._told: SimpleQueue[None] = SimpleQueue()

    def tell(self) -> None:
        self._told.put(None)

    @property
    def is_told(self) -> bool:
        return not self._told.empty()

    def comes_within(self, seconds: float) -> bool:
        try:
            self._told.get(timeout=seconds)
        except Empty:
            return False
        self.tell()  # to whoever asks next
        return True
