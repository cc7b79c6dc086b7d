"""A command and a role meet in a folder: whoever is killed where, the work is done and the command hears of it."""

import threading
import time
from pathlib import Path

import msgspec
import pytest

from store.requests import Mailbox
from store.roles import RoleLock

ROLE = "ingest"


class Question(msgspec.Struct):
    number: int = 0


class Reply(msgspec.Struct):
    number: int = 0
    by: str = "role"


class Killed(BaseException):
    """Stands for kill -9."""


def box(data: Path) -> Mailbox[Question, Reply]:
    return Mailbox(data, ROLE, Question, Reply)


def left(data: Path) -> list[str]:
    return sorted(path.suffix for path in (data / "roles" / "requests" / ROLE).glob("*"))


def work(mailbox: Mailbox[Question, Reply]) -> list[int]:
    """Do what a role does once a second; return what was asked."""
    taken = list(mailbox.take())
    for name, question in taken:
        mailbox.answer(name, Reply(question.number))
    return [question.number for _, question in taken]


def here(data: Path, number: int) -> Reply:
    with RoleLock(data, ROLE):
        return Reply(number, "command")


@pytest.mark.parametrize("step", range(4))
@pytest.mark.parametrize("after", [False, True])
def test_a_role_killed_at_any_step_of_its_answer_gives_it_in_its_next_life(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int, after: bool
) -> None:
    name = box(tmp_path).put(Question(7))
    steps = 0

    def dying(real):
        def call(path, *args, **kwargs):
            nonlocal steps
            steps += 1
            if steps == step + 1 and not after:
                raise Killed
            found = real(path, *args, **kwargs)
            if steps == step + 1:
                raise Killed
            return found

        return call

    with monkeypatch.context() as patch:
        for method in ("mkdir", "write_bytes", "replace", "unlink"):
            patch.setattr(Path, method, dying(getattr(Path, method)))
        with pytest.raises(Killed):
            work(box(tmp_path))
    command, alive = box(tmp_path), box(tmp_path)
    again = work(alive)
    assert command.answered(name) == Reply(7)
    # An answer that was out is not worked for again.
    assert again == ([] if (step, after) in [(2, True), (3, False), (3, True)] else [7])
    assert work(alive) == []
    command.withdraw(name)
    assert left(tmp_path) == []


def test_a_folder_that_takes_no_answer_neither_ends_the_role_nor_repeats_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    role = box(tmp_path)
    name = role.put(Question(3))
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        assert work(role) == [3]
        assert work(role) == []
    assert "No space left" in caplog.text
    assert role.answered(name) is None
    assert work(role) == []
    assert role.answered(name) == Reply(3)


def test_a_withdrawn_request_is_left_alone(tmp_path: Path) -> None:
    role, command = box(tmp_path), box(tmp_path)
    name = command.put(Question())
    ((taken, _),) = role.take()
    command.withdraw(name)
    role.answer(taken, Reply())
    assert left(tmp_path) == []


def test_where_no_role_runs_the_command_does_it(tmp_path: Path) -> None:
    assert box(tmp_path).ask(Question(5), lambda: here(tmp_path, 5), 10) == Reply(5, "command")
    assert left(tmp_path) == []


def test_what_the_role_did_before_it_ended_counts(tmp_path: Path) -> None:
    role = box(tmp_path)
    lock = RoleLock(tmp_path, ROLE)
    tries = 0

    def last_words() -> Reply:
        """The role answers and ends just after the command has looked for an answer."""
        nonlocal tries
        tries += 1
        if tries == 2:
            assert work(role) == [1]
            lock.__exit__(None, None, None)
        return here(tmp_path, 0)

    with lock:
        assert box(tmp_path).ask(Question(1), last_words, 10) == Reply(1)
    assert left(tmp_path) == []


def test_two_commands_at_once_are_both_done_once_each(tmp_path: Path) -> None:
    done: list[int] = []
    replies: dict[int, Reply | None] = {}

    def alone(number: int) -> Reply:
        with RoleLock(tmp_path, ROLE):
            time.sleep(0.15)
            done.append(number)
            return Reply(number, "command")

    def ask(number: int) -> None:
        replies[number] = box(tmp_path).ask(Question(number), lambda: alone(number), 30)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == [0, 1]
    assert replies == {n: Reply(n, "command") for n in range(2)}
    assert left(tmp_path) == []


def test_a_role_that_is_silent_for_too_long_is_given_up(tmp_path: Path) -> None:
    with RoleLock(tmp_path, ROLE):
        assert box(tmp_path).ask(Question(1), lambda: here(tmp_path, 1), 0.3) is None
    assert left(tmp_path) == []
