"""The vendor's own library, `feetech-servo-sdk`, finds nothing odd about the emulated servos."""

import subprocess
import time

import pytest

from harness import TARGET

sdk = pytest.importorskip("scservo_sdk", reason="feetech-servo-sdk is not installed")

IDS = [1, 2, 3, 4, 5, 6]

MODEL = 3
TORQUE_ENABLE = 40
GOAL_POSITION = 42
PRESENT_POSITION = 56
PRESENT_VOLTAGE = 62


def emulator_path():
    """The optimised emulator where there is one, else the other."""
    for profile in ("release", "debug"):
        path = TARGET / profile / "servo_emulator"
        if path.exists():
            return path
    pytest.skip("servo_emulator is not built")


@pytest.fixture(params=[[], ["--pace"]], ids=["unpaced", "paced"])
def bus(request):
    """The vendor's port and packet handler, and six servos behind them."""
    command = [str(emulator_path()), "--ids", "1-6", *request.param]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as emulator:
        port = sdk.PortHandler(emulator.stdout.readline().strip())
        port.baudrate = 1_000_000
        assert port.openPort()
        yield port, sdk.PacketHandler(0)
        port.closePort()
        emulator.terminate()
        assert emulator.wait(timeout=5) == 0


def test_every_servo_answers_a_ping_with_its_model(bus):
    port, packets = bus
    for servo in IDS:
        assert packets.ping(port, servo) == (777, sdk.COMM_SUCCESS, 0)


def test_a_servo_that_is_not_there_does_not_answer(bus):
    port, packets = bus
    _, result, _ = packets.ping(port, 7)
    assert result == sdk.COMM_RX_TIMEOUT


def test_what_is_written_is_read_back(bus):
    port, packets = bus
    assert packets.read2ByteTxRx(port, 1, MODEL) == (777, sdk.COMM_SUCCESS, 0)
    assert packets.write1ByteTxRx(port, 1, TORQUE_ENABLE, 1) == (sdk.COMM_SUCCESS, 0)
    assert packets.read1ByteTxRx(port, 1, TORQUE_ENABLE) == (1, sdk.COMM_SUCCESS, 0)
    assert packets.write2ByteTxRx(port, 1, GOAL_POSITION, 2100) == (sdk.COMM_SUCCESS, 0)
    assert packets.read2ByteTxRx(port, 1, GOAL_POSITION) == (2100, sdk.COMM_SUCCESS, 0)


def test_a_registered_write_waits_for_its_action(bus):
    port, packets = bus
    assert packets.regWriteTxRx(port, 2, GOAL_POSITION, 2, [0x00, 0x09]) == (sdk.COMM_SUCCESS, 0)
    assert packets.read2ByteTxRx(port, 2, GOAL_POSITION)[0] == 2048
    assert packets.action(port, sdk.BROADCAST_ID) == sdk.COMM_SUCCESS
    assert packets.read2ByteTxRx(port, 2, GOAL_POSITION)[0] == 0x0900


def test_six_servos_are_told_and_asked_at_once_and_go_there(bus):
    port, packets = bus
    write = sdk.GroupSyncWrite(port, packets, GOAL_POSITION, 6)
    for servo in IDS:
        goal = 2048 + 20 * servo
        assert write.addParam(servo, [goal & 0xFF, goal >> 8, 0, 0, 0xE8, 3])
    assert write.txPacket() == sdk.COMM_SUCCESS
    for servo in IDS:
        assert packets.write1ByteTxRx(port, servo, TORQUE_ENABLE, 1) == (sdk.COMM_SUCCESS, 0)

    read = sdk.GroupSyncRead(port, packets, PRESENT_POSITION, 15)
    for servo in IDS:
        assert read.addParam(servo)
    goals = [2048 + 20 * servo for servo in IDS]
    deadline = time.monotonic() + 5
    positions = []
    while positions != goals and time.monotonic() < deadline:
        assert read.txRxPacket() == sdk.COMM_SUCCESS
        positions = [read.getData(servo, PRESENT_POSITION, 2) for servo in IDS]
        assert all(read.getData(servo, PRESENT_VOLTAGE, 1) == 74 for servo in IDS)
    assert positions == goals
