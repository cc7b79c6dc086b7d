"""What a receiver gets, by the `format` of its endpoint: pure functions of notices."""

from api.bodies.formats import FORMATS, Format, body_of, refusal
from api.bodies.notice import Notice, notice_of_test, standard_members

__all__ = ["FORMATS", "Format", "Notice", "body_of", "notice_of_test", "refusal", "standard_members"]
