"""The inbox: in order, bounded, from any thread."""

from __future__ import annotations

import threading

import pytest

from bridges.inbox import Command, Inbox


def test_commands_come_out_once_in_the_order_they_came():
    inbox = Inbox()
    commands = tuple(Command("opcua:viewer", "pause", f"agv-{i}") for i in range(3))
    assert all(inbox.put(c) for c in commands)
    assert inbox.drain() == commands
    assert inbox.drain() == ()


def test_a_flood_is_refused_and_counted():
    inbox = Inbox(capacity=2)
    assert [inbox.put(Command("mqtt", "pause")) for _ in range(4)] == [True, True, False, False]
    assert inbox.refused == 2
    assert len(inbox.drain()) == 2
    assert inbox.put(Command("mqtt", "resume"))


def test_nothing_is_lost_or_doubled_between_threads():
    inbox = Inbox(capacity=10_000)

    def send(who: int) -> None:
        for i in range(500):
            inbox.put(Command(str(who), str(i)))

    threads = [threading.Thread(target=send, args=(w,)) for w in range(4)]
    for thread in threads:
        thread.start()
    got: list[Command] = []
    while any(t.is_alive() for t in threads):
        got += inbox.drain()
    for thread in threads:
        thread.join()
    got += inbox.drain()
    assert len(got) == 2000
    for who in range(4):
        assert [int(c.name) for c in got if c.source == str(who)] == list(range(500))


def test_an_inbox_that_holds_nothing_is_refused():
    with pytest.raises(ValueError, match="capacity 0 must be at least 1"):
        Inbox(capacity=0)
