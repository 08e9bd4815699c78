"""What can go wrong with a network of several authorities."""


class ConsortiumError(Exception):
    """Something expected: the message is for the user as it stands."""


class EngineMissing(ConsortiumError):
    """The engine cannot be had on this machine; the message says what was looked for."""


class NetworkFailed(ConsortiumError):
    """A node did not start or the network makes no blocks; the message shows the end of its log."""
