"""Session ids as keyed hashes, from the payload to the frame that is journalled."""

import hashlib
import hmac
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
from decoding import NOW, decode, message

from ingest.pseudonyms import DIGITS, pseudonym
from telemetry.channels import PORT
from telemetry.config import IngestConfig, load_config
from telemetry.frame import encode_frame

KEY = "a secret of the operator"


def sent(*readings, key=KEY, kind="port"):
    messages = [message({"ts": NOW - i, **r}, f"harbour/{kind}/p{i}/telemetry") for i, r in enumerate(readings)]
    (frame,) = decode(*messages, limits=IngestConfig(session_key=key)).frames
    return frame


def texts_of(frame, channel):
    codes = frame.codes[:, PORT.code_index[channel]].tolist()
    return [None if code < 0 else frame.texts[code] for code in codes]


def test_an_id_is_replaced_everywhere_and_the_same_one_by_the_same():
    card = "0012-card"
    frame = sent({"session_id": card}, {"session_id": "b"}, {"session_id": card, "connector": "1"}, {"power_kw": 1.0})
    expected = hmac.new(KEY.encode(), card.encode(), hashlib.sha256).hexdigest()[:DIGITS]
    assert texts_of(frame, "session_id") == [expected, pseudonym(KEY, "b"), expected, None]
    assert card.encode() not in encode_frame(frame)
    assert sent({"session_id": card}, key="another").texts != (expected,)


def test_other_texts_stay_even_where_they_read_like_the_id():
    frame = sent({"session_id": "1", "connector": "1", "stop_reason": "Local", "error_code": "NoError"})
    assert texts_of(frame, "connector") == ["1"]
    assert (texts_of(frame, "stop_reason"), texts_of(frame, "error_code")) == (["Local"], ["NoError"])
    assert texts_of(frame, "session_id") == [pseudonym(KEY, "1")]


def test_without_a_key_or_an_id_nothing_changes():
    assert texts_of(sent({"session_id": "1"}, key=""), "session_id") == ["1"]
    assert texts_of(sent({"session_id": ""}, {"session_id": None}), "session_id") == ["", None]
    assert sent({"status": "Available"}).texts == ()


def test_the_key_may_stand_in_a_file(tmp_path):
    (tmp_path / "key").write_text(KEY + "\n", "utf-8")
    (tmp_path / "voltair.toml").write_text('[ingest]\nsession_key_file = "key"\n', "utf-8")
    assert load_config(tmp_path / "voltair.toml", environ={}).ingest.session_key == KEY
