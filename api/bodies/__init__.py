"""What a receiver gets, by the `format` of its endpoint: pure functions of notices."""

from api.bodies.formats import FORMATS, Format, body_of, refusal
from api.bodies.notice import Notice, standard_members, notice_of_test

__all__ = ["FORMATS", "Format", "Notice", "body_of", "refusal", "standard_members", "notice_of_test"]
