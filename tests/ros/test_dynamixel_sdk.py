"""The maker's own library, `dynamixel-sdk`, finds nothing odd about the emulated servos.

It puts no stuffing into what it sends and knows no fast sync read; `tests/it/rustypot_dynamixel.rs` has both.
"""

import subprocess
import time

import pytest

from test_feetech_sdk import emulator_path

sdk = pytest.importorskip("dynamixel_sdk", reason="dynamixel-sdk is not installed")

IDS = [1, 2, 3, 4, 5, 6]

TORQUE_ENABLE = 64
GOAL_POSITION = 116
PRESENT_POSITION = 132
PRESENT_TEMPERATURE = 146

DATA_RANGE_ERROR = 4
DATA_LIMIT_ERROR = 6
ACCESS_ERROR = 7


@pytest.fixture(params=[[], ["--pace"]], ids=["unpaced", "paced"])
def bus(request):
    """The maker's port and packet handler, and six servos behind them."""
    command = [str(emulator_path()), "--protocol", "dynamixel2", "--ids", "1-6", *request.param]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as emulator:
        port = sdk.PortHandler(emulator.stdout.readline().strip())
        port.baudrate = 1_000_000
        assert port.openPort()
        yield port, sdk.PacketHandler(2.0)
        port.closePort()
        emulator.terminate()
        assert emulator.wait(timeout=5) == 0


def test_every_servo_answers_a_ping_with_its_model_and_one_that_is_not_there_does_not(bus):
    port, packets = bus
    for servo in IDS:
        assert packets.ping(port, servo) == (1020, sdk.COMM_SUCCESS, 0)
    assert packets.ping(port, 7)[1] == sdk.COMM_RX_TIMEOUT
    found, result = packets.broadcastPing(port)
    assert result == sdk.COMM_SUCCESS and sorted(found) == IDS


def test_refusals_come_with_their_codes(bus):
    port, packets = bus
    assert packets.write1ByteTxRx(port, 1, TORQUE_ENABLE, 2) == (sdk.COMM_SUCCESS, DATA_RANGE_ERROR)
    assert packets.write4ByteTxRx(port, 1, GOAL_POSITION, 5000) == (sdk.COMM_SUCCESS, DATA_LIMIT_ERROR)
    assert packets.write4ByteTxRx(port, 1, PRESENT_POSITION, 0) == (sdk.COMM_SUCCESS, ACCESS_ERROR)


def test_six_servos_are_told_and_asked_at_once_and_go_there(bus):
    port, packets = bus
    write = sdk.GroupSyncWrite(port, packets, GOAL_POSITION, 4)
    goals = [2048 + 20 * servo for servo in IDS]
    for servo, goal in zip(IDS, goals):
        assert write.addParam(servo, list(goal.to_bytes(4, "little")))
    assert write.txPacket() == sdk.COMM_SUCCESS
    for servo in IDS:
        assert packets.write1ByteTxRx(port, servo, TORQUE_ENABLE, 1) == (sdk.COMM_SUCCESS, 0)

    read = sdk.GroupSyncRead(port, packets, PRESENT_POSITION, 4)
    for servo in IDS:
        assert read.addParam(servo)
    deadline = time.monotonic() + 5
    positions = []
    while positions != goals and time.monotonic() < deadline:
        assert read.txRxPacket() == sdk.COMM_SUCCESS
        positions = [read.getData(servo, PRESENT_POSITION, 4) for servo in IDS]
    assert positions == goals


def test_each_servo_is_asked_for_registers_of_its_own(bus):
    port, packets = bus
    read = sdk.GroupBulkRead(port, packets)
    assert read.addParam(1, PRESENT_POSITION, 4)
    assert read.addParam(2, PRESENT_TEMPERATURE, 1)
    assert read.txRxPacket() == sdk.COMM_SUCCESS
    assert read.getData(1, PRESENT_POSITION, 4) == 2048
    assert read.getData(2, PRESENT_TEMPERATURE, 1) == 25
