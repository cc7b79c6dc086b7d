"""The one tree of exceptions.

VoltairError
├── ConfigError       a setting, a file or a rule is wrong: exit code 2
├── FrameError        bytes that are no valid frame (checksum, version, shape)
├── WireError         a peer breaks the protocol: the connection is given up
├── JournalError      the journal cannot be opened, read or written
│   └── JournalFull   the size limit or the disk's end is reached: stop acknowledging
├── StoreError        the series store refuses for a reason that a person must mend
│   └── StoreUnavailable   it does not answer, or asks to wait: try again
└── RoleLocked        another process already has this role on this data directory

Expected failures (a value out of range, a payload that cannot be read) are values, not exceptions.
Each message names the offending value and the remedy.
"""


class VoltairError(Exception):
    """Anything that Voltair itself raises."""


class ConfigError(VoltairError):
    """A setting, a configuration file or a rule is wrong."""


class FrameError(VoltairError):
    """Bytes are no valid frame."""


class WireError(VoltairError):
    """A peer sent bytes that break the protocol."""


class JournalError(VoltairError):
    """The journal cannot be opened, read or written."""


class JournalFull(JournalError):  # noqa: N818 - a state of the journal, not a mistake
    """The journal's limit or the end of the disk is reached."""


class StoreError(VoltairError):
    """The series store refuses for a reason that a person must mend."""


class StoreUnavailable(StoreError):  # noqa: N818 - a state of the store, not a mistake
    """The series store does not answer now, or asks to wait.

    `retry_after_s` is the pause that it asks for, None where it names none.
    """

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class RoleLocked(VoltairError):  # noqa: N818 - a state, not a mistake
    """Another process already runs this role on this data directory."""
