"""The harness itself: what the other tests take for granted."""

import signal
import sys
import time

import pytest

from harness import Domain, Process


def test_a_line_is_found_whether_it_came_before_or_comes_later():
    with Process(sys.executable, "-uc", "import time; print('one'); time.sleep(0.2); print('two 2')") as process:
        assert process.wait_for_line(r"two (\d)").group(1) == "2"
        assert process.wait_for_line("one")


def test_a_missing_line_fails_at_once_when_the_process_is_gone():
    before = time.monotonic()
    with Process(sys.executable, "-c", "print('all there is')") as process:
        with pytest.raises(AssertionError, match="all there is"):
            process.wait_for_line("more", timeout=10.0)
    assert time.monotonic() - before < 5.0


def test_an_interrupt_ends_a_process_and_gives_its_exit_status():
    process = Process("sleep", "60")
    assert process.stop() == -signal.SIGINT
    assert not process.running


def test_a_process_that_does_not_listen_is_killed():
    code = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    process = Process(sys.executable, "-c", code)
    process.wait_for_line("deaf")
    assert process.stop(timeout=0.2) == -signal.SIGKILL


def test_a_failing_test_leaves_no_process():
    with pytest.raises(RuntimeError), Process("sleep", "60") as process:
        raise RuntimeError
    assert not process.running


def test_two_runs_never_share_a_domain():
    domains = [Domain() for _ in range(20)]
    assert len({domain.number for domain in domains}) == 20
    for domain in domains:
        domain.release()


def test_a_message_goes_from_a_client_to_itself(client):
    from std_msgs.msg import String

    heard = []
    client.node.create_subscription(String, "echo", heard.append, 1)
    with client.publisher(String, "echo") as publisher:
        publisher.publish(String(data="here"))
        client.spin_until(lambda: heard == [String(data="here")], "the message came")
