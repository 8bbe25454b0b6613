//! The control table of an XM430-W350, as data.

/// One register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Register {
    pub(super) name: &'static str,
    pub(super) address: usize,
    pub(super) size: usize,
    pub(super) access: Access,
    /// What it holds when it comes from the factory.
    pub(super) default: i64,
    /// What it can be given; outside of that is a Data Range Error.
    pub(super) range: (i64, i64),
}

/// Whether the host may write, and what becomes of it when the power goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// The servo tells.
    Told,
    /// The host may change it while torque is off; it is kept.
    Kept,
    /// The host may change it; it is lost with the power.
    Lost,
}

impl Register {
    /// Whether the value has a sign, in two's complement.
    fn is_signed(&self) -> bool {
        self.range.0 < 0
    }

    pub(super) fn span(&self) -> std::ops::Range<usize> {
        self.address..self.address + self.size
    }

    /// The value of the register's bytes.
    pub(super) fn decode(&self, bytes: &[u8]) -> i64 {
        let mut wide = [0; 8];
        wide[..self.size].copy_from_slice(&bytes[..self.size]);
        let raw = i64::from_le_bytes(wide);
        let turn = 1_i64 << (8 * self.size);
        if self.is_signed() && turn / 2 <= raw { raw - turn } else { raw }
    }

    /// The register's bytes for a value; what does not fit becomes the nearest that does.
    pub(super) fn encode(&self, value: i64) -> Vec<u8> {
        let turn = 1_i64 << (8 * self.size);
        let (least, most) = if self.is_signed() { (-turn / 2, turn / 2 - 1) } else { (0, turn - 1) };
        value.clamp(least, most).to_le_bytes()[..self.size].to_vec()
    }
}

const fn register(
    name: &'static str,
    address: usize,
    size: usize,
    access: Access,
    default: i64,
    range: (i64, i64),
) -> Register {
    Register { name, address, size, access, default, range }
}

const SIGNED: (i64, i64) = (i32::MIN as i64, i32::MAX as i64);
const MULTI_TURN: (i64, i64) = (-1_048_575, 1_048_575);

pub(super) const MODEL_NUMBER: Register = register("model_number", 0, 2, Access::Told, 1020, (0, 0));
pub(super) const FIRMWARE_VERSION: Register = register("firmware_version", 6, 1, Access::Told, 45, (0, 0));
pub(super) const ID: Register = register("id", 7, 1, Access::Kept, 1, (0, 252));
pub(super) const BAUD_RATE: Register = register("baud_rate", 8, 1, Access::Kept, 1, (0, 7));
pub(super) const RETURN_DELAY_TIME: Register =
    register("return_delay_time", 9, 1, Access::Kept, 250, (0, 254));
pub(super) const OPERATING_MODE: Register = register("operating_mode", 11, 1, Access::Kept, 3, (0, 16));
pub(super) const SECONDARY_ID: Register = register("secondary_id", 12, 1, Access::Kept, 255, (0, 255));
pub(super) const HOMING_OFFSET: Register =
    register("homing_offset", 20, 4, Access::Kept, 0, (-1_044_479, 1_044_479));
pub(super) const MOVING_THRESHOLD: Register =
    register("moving_threshold", 24, 4, Access::Kept, 10, (0, 1023));
pub(super) const TEMPERATURE_LIMIT: Register =
    register("temperature_limit", 31, 1, Access::Kept, 80, (0, 100));
pub(super) const MAX_VOLTAGE_LIMIT: Register =
    register("max_voltage_limit", 32, 2, Access::Kept, 160, (95, 160));
pub(super) const MIN_VOLTAGE_LIMIT: Register =
    register("min_voltage_limit", 34, 2, Access::Kept, 95, (95, 160));
pub(super) const PWM_LIMIT: Register = register("pwm_limit", 36, 2, Access::Kept, 885, (0, 885));
pub(super) const CURRENT_LIMIT: Register = register("current_limit", 38, 2, Access::Kept, 1193, (0, 1193));
pub(super) const VELOCITY_LIMIT: Register = register("velocity_limit", 44, 4, Access::Kept, 200, (0, 1023));
pub(super) const MAX_POSITION_LIMIT: Register =
    register("max_position_limit", 48, 4, Access::Kept, 4095, (0, 4095));
pub(super) const MIN_POSITION_LIMIT: Register =
    register("min_position_limit", 52, 4, Access::Kept, 0, (0, 4095));
pub(super) const SHUTDOWN: Register = register("shutdown", 63, 1, Access::Kept, 52, (0, 63));
pub(super) const TORQUE_ENABLE: Register = register("torque_enable", 64, 1, Access::Lost, 0, (0, 1));
pub(super) const STATUS_RETURN_LEVEL: Register =
    register("status_return_level", 68, 1, Access::Lost, 2, (0, 2));
pub(super) const REGISTERED: Register = register("registered_instruction", 69, 1, Access::Told, 0, (0, 1));
pub(super) const HARDWARE_ERROR_STATUS: Register =
    register("hardware_error_status", 70, 1, Access::Told, 0, (0, 255));
pub(super) const POSITION_P_GAIN: Register =
    register("position_p_gain", 84, 2, Access::Lost, 800, (0, 16_383));
/// It is -1 once it has struck.
pub(super) const BUS_WATCHDOG: Register = register("bus_watchdog", 98, 1, Access::Lost, 0, (-1, 127));
pub(super) const GOAL_PWM: Register = register("goal_pwm", 100, 2, Access::Lost, 885, (-885, 885));
pub(super) const GOAL_CURRENT: Register = register("goal_current", 102, 2, Access::Lost, 1193, (-1193, 1193));
pub(super) const GOAL_VELOCITY: Register = register("goal_velocity", 104, 4, Access::Lost, 0, (-1023, 1023));
pub(super) const PROFILE_ACCELERATION: Register =
    register("profile_acceleration", 108, 4, Access::Lost, 0, (0, 32_767));
pub(super) const PROFILE_VELOCITY: Register =
    register("profile_velocity", 112, 4, Access::Lost, 0, (0, 32_767));
pub(super) const GOAL_POSITION: Register = register("goal_position", 116, 4, Access::Lost, 0, MULTI_TURN);
pub(super) const REALTIME_TICK: Register = register("realtime_tick", 120, 2, Access::Told, 0, (0, 32_767));
pub(super) const MOVING: Register = register("moving", 122, 1, Access::Told, 0, (0, 1));
pub(super) const PRESENT_PWM: Register = register("present_pwm", 124, 2, Access::Told, 0, SIGNED);
pub(super) const PRESENT_CURRENT: Register = register("present_current", 126, 2, Access::Told, 0, SIGNED);
pub(super) const PRESENT_VELOCITY: Register = register("present_velocity", 128, 4, Access::Told, 0, SIGNED);
pub(super) const PRESENT_POSITION: Register = register("present_position", 132, 4, Access::Told, 0, SIGNED);
pub(super) const PRESENT_INPUT_VOLTAGE: Register =
    register("present_input_voltage", 144, 2, Access::Told, 120, (0, 0));
pub(super) const PRESENT_TEMPERATURE: Register =
    register("present_temperature", 146, 1, Access::Told, 25, (0, 0));

/// All registers but the indirect ones.
pub(super) const XM430: &[Register] = &[
    MODEL_NUMBER,
    register("model_information", 2, 4, Access::Told, 0, (0, 0)),
    FIRMWARE_VERSION,
    ID,
    BAUD_RATE,
    RETURN_DELAY_TIME,
    // The other modes turn the servo round, which it does not know here.
    register("drive_mode", 10, 1, Access::Kept, 0, (0, 0)),
    OPERATING_MODE,
    SECONDARY_ID,
    register("protocol_type", 13, 1, Access::Kept, 2, (2, 2)),
    HOMING_OFFSET,
    MOVING_THRESHOLD,
    TEMPERATURE_LIMIT,
    MAX_VOLTAGE_LIMIT,
    MIN_VOLTAGE_LIMIT,
    PWM_LIMIT,
    CURRENT_LIMIT,
    VELOCITY_LIMIT,
    MAX_POSITION_LIMIT,
    MIN_POSITION_LIMIT,
    SHUTDOWN,
    TORQUE_ENABLE,
    register("led", 65, 1, Access::Lost, 0, (0, 1)),
    STATUS_RETURN_LEVEL,
    REGISTERED,
    HARDWARE_ERROR_STATUS,
    register("velocity_i_gain", 76, 2, Access::Lost, 1920, (0, 16_383)),
    register("velocity_p_gain", 78, 2, Access::Lost, 100, (0, 16_383)),
    register("position_d_gain", 80, 2, Access::Lost, 0, (0, 16_383)),
    register("position_i_gain", 82, 2, Access::Lost, 0, (0, 16_383)),
    POSITION_P_GAIN,
    register("feedforward_2nd_gain", 88, 2, Access::Lost, 0, (0, 16_383)),
    register("feedforward_1st_gain", 90, 2, Access::Lost, 0, (0, 16_383)),
    BUS_WATCHDOG,
    GOAL_PWM,
    GOAL_CURRENT,
    GOAL_VELOCITY,
    PROFILE_ACCELERATION,
    PROFILE_VELOCITY,
    GOAL_POSITION,
    REALTIME_TICK,
    MOVING,
    register("moving_status", 123, 1, Access::Told, 0, (0, 255)),
    PRESENT_PWM,
    PRESENT_CURRENT,
    PRESENT_VELOCITY,
    PRESENT_POSITION,
    register("velocity_trajectory", 136, 4, Access::Told, 0, SIGNED),
    register("position_trajectory", 140, 4, Access::Told, 0, SIGNED),
    PRESENT_INPUT_VOLTAGE,
    PRESENT_TEMPERATURE,
];

/// Where the addresses of indirect registers are kept, two bytes each, and where their data is seen.
pub(super) const INDIRECT: [(usize, usize, usize); 2] = [(168, 224, 28), (578, 634, 28)];
/// What an indirect address can be.
pub(super) const INDIRECT_RANGE: std::ops::RangeInclusive<usize> = 64..=661;
/// The address behind the last register.
pub(super) const END: usize = 662;

/// The register of that name.
pub(super) fn by_name(name: &str) -> Option<&'static Register> {
    XM430.iter().find(|register| register.name == name)
}

/// The register that has the address.
pub(super) fn at(address: usize) -> Option<&'static Register> {
    XM430.iter().find(|register| register.span().contains(&address))
}
