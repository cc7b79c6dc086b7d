"""dead-letters.db: what stays, what goes, what a crash leaves."""

import pytest

from store import deadletters
from store.deadletters import DeadLetter, DeadLetterWriter, read_dead_letters


def letter(n, size=4):
    return DeadLetter(time_ms=n, topic=f"t{n}", reason="why", payload=b"x" * size, element=n, content_type="c")


def test_letters_of_a_batch_that_never_came_to_be_are_removed(tmp_path):
    assert read_dead_letters(tmp_path) == []
    writer = DeadLetterWriter(tmp_path, 0)
    writer.add([letter(1), letter(2)], 7)
    writer.add([letter(3)], 8)
    writer.close()
    DeadLetterWriter(tmp_path, 7).close()
    found = read_dead_letters(tmp_path)
    assert [(x.id, x.batch, x.time_ms) for x in found] == [(1, 7, 1), (2, 7, 2)]
    assert found[0].topic == "t1"
    assert (found[0].reason, found[0].payload, found[0].element, found[0].content_type) == ("why", b"xxxx", 1, "c")
    writer = DeadLetterWriter(tmp_path, 7)
    writer.add([letter(4)], 8)
    writer.close()
    assert [x.id for x in read_dead_letters(tmp_path)] == [1, 2, 4]  # an id is never used again


def test_pages(tmp_path):
    writer = DeadLetterWriter(tmp_path, 0)
    writer.add([letter(n) for n in range(1, 11)], 1)
    assert [x.id for x in read_dead_letters(tmp_path, limit=3)] == [1, 2, 3]
    assert [x.id for x in read_dead_letters(tmp_path, after=3, limit=4)] == [4, 5, 6, 7]
    assert read_dead_letters(tmp_path, after=10) == []
    writer.close()


@pytest.mark.parametrize(("limit", "size"), [("KEEP_LETTERS", 1), ("KEEP_BYTES", 50)])
def test_the_oldest_make_room(tmp_path, monkeypatch, limit, size):
    monkeypatch.setattr(deadletters, limit, 20 * size)
    writer = DeadLetterWriter(tmp_path, 0)
    for n in range(1, 101):
        writer.add([letter(n, size)], n)
    writer.close()
    found = [x.time_ms for x in read_dead_letters(tmp_path)]
    assert found == list(range(101 - len(found), 101))
    assert 18 <= len(found) <= 20
    # The limits hold over a restart.
    writer = DeadLetterWriter(tmp_path, 100)
    writer.add([letter(n, size) for n in range(200, 210)], 101)
    writer.close()
    assert len(read_dead_letters(tmp_path)) <= 20
