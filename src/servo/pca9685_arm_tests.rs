//! The driver on a recording I2C bus with the emulated chip behind it: every byte counts.

use embedded_hal::i2c::{ErrorKind, ErrorType, I2c, NoAcknowledgeSource, Operation};

use super::*;
use crate::config::hardware::{Protocol, ServoConfig};
use crate::config::pwm::half_turn_servo;
use crate::servo::driver::JointRating;
use crate::servo::emulator::pca9685::Chip;
use crate::units::{Calibration, Ticks};

const ADDRESS: u8 = 0x40;
const LATEST: Time = Time(i64::MAX);

#[test]
fn a_sleeping_chip_is_set_up_without_pulses_and_then_written_in_one_burst() {
    let mut arm = connect(recorder()).unwrap().0;
    let set_up = [
        &[MODE1, SLEEP | 0x01][..],
        // The address grows, every channel is fully off, 50 Hz, outputs drive both ways, awake.
        &[MODE1, AUTO_INCREMENT | SLEEP | 0x01],
        &[0xFC, 0, FULL],
        &[PRE_SCALE, 121],
        &[0x01, 0x04],
        &[MODE1, AUTO_INCREMENT | 0x01],
    ];
    assert_eq!(arm.port.take_written(), set_up);
    arm.write_goals(&[0.1, -0.1]).unwrap();
    assert!(arm.port.take_written().is_empty(), "no pulse before torque");
    arm.write_goals(&[0.0, 9.0]).unwrap();
    arm.obey(TorqueOrder::On, &[], LATEST).unwrap();
    // Channels 3 to 5 with 1500 µs (307 counts), nothing, and the longest pulse, 2500 µs (512 counts).
    let burst = [LED0_ON_L + 12, 0, 0, 0x33, 0x01, 0, 0, 0, FULL, 0, 0, 0x00, 0x02];
    assert_eq!(arm.port.take_written(), [&burst[..]]);
    arm.write_goals(&[0.0, 9.0]).unwrap();
    assert_eq!(arm.port.take_written(), [&burst[..]]);
}

#[test]
fn release_is_the_full_off_bit_of_every_channel_and_is_read_back() {
    let mut arm = connect(recorder()).unwrap().0;
    arm.obey(TorqueOrder::On, &[], LATEST).unwrap();
    let standing = arm.obey(TorqueOrder::ReadBack(1), &[], LATEST).unwrap().unwrap();
    assert!(standing.torque && standing.goal.abs() <= arm.resolution(1), "{standing:?}");
    arm.port.take_written();
    assert_eq!(arm.release(), Vec::<String>::new());
    assert_eq!(arm.port.take_written(), [&[0xFC, 0, FULL][..]]);
    assert!((0..CHANNELS).all(|channel| arm.port.chip.pulse_us(channel) == 0.0));
}

#[test]
fn pulses_that_a_chip_puts_out_already_go_on_and_tell_where_the_servos_are() {
    let mut port = recorder();
    port.chip.write(&[PRE_SCALE, 121]);
    port.chip.write(&[MODE1, AUTO_INCREMENT]);
    port.chip.write(&[LED0_ON_L + 12, 0, 0, 0x66, 0x01]);
    let (mut arm, standings) = connect(port).unwrap();
    assert!(arm.port.take_written().is_empty());
    assert_eq!(standings.iter().map(|standing| standing.torque).collect::<Vec<_>>(), [true, false]);
    arm.read(LATEST).unwrap();
    assert_eq!(arm.report(0).position, standings[0].goal);
    assert!(0.3 < standings[0].goal, "{standings:?}");
}

#[test]
fn a_chip_that_does_not_answer_is_missed_and_a_lost_bus_is_lost() {
    let mut arm = connect(recorder()).unwrap().0;
    arm.read(LATEST).unwrap();
    assert!(arm.report(0).fresh);
    arm.port.refuses = Some(ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address));
    arm.read(LATEST).unwrap();
    assert!(!arm.report(0).fresh);
    arm.write_goals(&[0.0, 0.0]).unwrap();
    assert_eq!(arm.release().len(), 2);
    arm.port.is_gone = true;
    assert!(arm.read(LATEST).is_err());
    let mut silent = recorder();
    silent.refuses = Some(ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address));
    let refused = connect(silent).err().unwrap().to_string();
    assert!(refused.contains("I2C address 0x40"), "{refused}");
}

/// A bus that remembers what was written over it.
struct Recorder {
    chip: Chip,
    written: Vec<Vec<u8>>,
    refuses: Option<ErrorKind>,
    is_gone: bool,
}

impl Recorder {
    /// What was written since this was asked last, but for addresses that something is then read from.
    fn take_written(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.written)
    }
}

impl ErrorType for Recorder {
    type Error = I2cError;
}

impl I2c for Recorder {
    fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), I2cError> {
        assert_eq!(address, ADDRESS);
        if self.is_gone {
            return Err(I2cError::Lost(io::ErrorKind::BrokenPipe.into()));
        }
        if let Some(kind) = self.refuses {
            return Err(I2cError::Failed(kind));
        }
        for operation in operations {
            match operation {
                Operation::Write(bytes) => {
                    self.chip.write(bytes);
                    if 1 < bytes.len() {
                        self.written.push(bytes.to_vec());
                    }
                }
                Operation::Read(into) => into.iter_mut().for_each(|byte| *byte = self.chip.read()),
            }
        }
        Ok(())
    }
}

impl I2cPort for Recorder {
    fn wait(&mut self, _wait: Wait) {}

    fn transfer_time(&self, _bytes: usize) -> Duration {
        Duration::ZERO
    }

    fn counters(&self) -> BusCounters {
        BusCounters::default()
    }
}

fn recorder() -> Recorder {
    Recorder { chip: Chip::new(25e6), written: Vec::new(), refuses: None, is_gone: false }
}

/// Two servos, on channels 3 and 5.
fn connect(port: Recorder) -> Result<(Pca9685Arm<Recorder>, Vec<Standing>), IdentifyError> {
    let bus = BusConfig {
        name: String::new(),
        protocol: Protocol::Pca9685,
        port: "/dev/i2c-1".into(),
        baud_rate_bps: 115_200,
        echo: false,
        adapter_latency: Duration::ZERO,
        watchdog: Duration::ZERO,
        gather_telemetry: false,
        pwm: PwmBusConfig::default(),
    };
    let servo = |channel| DrivenServo {
        joint: format!("joint{channel}"),
        config: ServoConfig {
            limits: Default::default(),
            bus: 0,
            map: None,
            id: 0,
            calibration: Calibration { zero: Ticks(0), reversed: false, ticks_per_turn: 1.0 },
            slides: false,
            torque_limit: 1.0,
            pwm: Some(half_turn_servo(channel)),
            recorded: None,
        },
        rating: JointRating { max_velocity: 5.0, max_effort: 1.0 },
        known: None,
    };
    Pca9685Arm::connect(port, &bus, &[servo(3), servo(5)])
}
