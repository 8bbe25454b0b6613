//! What a driver of register servos needs of a register map: in which block of registers each value lies.
//!
//! Registers that lie near each other are read at once: those with the position in every cycle, the others now and
//! then. Knows no servo and no joint.

mod gathering;

pub(super) use gathering::Gathering;

use crate::protocol::registers::Family;
use crate::protocol::registers::{Coding, Register, RegisterMap, Role};
use crate::protocol::wire::ByteOrder;

/// Registers side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// The first address.
    pub(super) address: u16,
    /// How many bytes.
    pub(super) len: u16,
}

/// Where a value lies in a block, and how it is coded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Field {
    at: usize,
    size: u8,
    coding: Coding,
    scale: f64,
    order: ByteOrder,
    /// The least and the greatest value.
    pub(super) takes: (i64, i64),
}

/// What a servo tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quantity {
    /// In ticks.
    Position,
    /// In ticks a second.
    Speed,
    /// As a part of the whole duty cycle.
    Load,
    /// In amperes.
    Current,
    /// In volts.
    Voltage,
    /// In degrees Celsius.
    Temperature,
    /// As bits.
    Alarms,
}

/// A block and what is in it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reading {
    /// The block.
    pub(super) block: Block,
    /// What lies in it, and where.
    pub(super) fields: Vec<(Quantity, Field)>,
}

/// A register that is written by itself, or along with others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Command {
    /// Where it is.
    pub(super) block: Block,
    /// How it is coded; at the beginning of the block.
    pub(super) field: Field,
}

/// How a model is read and told. See the module's text.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Layout {
    /// Read in each cycle; the position is in it.
    pub(super) fast: Reading,
    /// Read now and then.
    pub(super) slow: Vec<Reading>,
    /// What the servo has to know before it is read so.
    pub(super) gathering: Option<Gathering>,
    /// Written in each cycle.
    pub(super) goal: Block,
    /// Where in it the position lies.
    pub(super) goal_position: Field,
    /// Where in it the speed lies, in ticks a second.
    pub(super) goal_speed: Option<Field>,
    /// The speed, where it is told before torque comes on instead.
    pub(super) speed_limit: Option<Command>,
    /// The acceleration, where it is told before torque comes on instead.
    pub(super) acceleration: Option<Command>,
    /// Torque on and off.
    pub(super) torque_enable: Command,
    /// The part of its torque that it may use.
    pub(super) torque_limit: Option<Command>,
    /// How long it goes on without a host.
    pub(super) watchdog: Option<Command>,
    /// Read to see whether it did what it was told.
    pub(super) standing: Standing,
    /// The current that stands for all its torque (A).
    pub(super) full_current: Option<f64>,
    /// The map's position modes, and where the mode is.
    pub(super) family: Family,
}

/// Where the registers lie by which is judged whether a servo holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Standing {
    /// All of it.
    pub(super) block: Block,
    /// Whether torque is on.
    pub(super) torque_enable: Field,
    /// The goal.
    pub(super) goal_position: Field,
    /// The torque limit.
    pub(super) torque_limit: Option<Field>,
    /// What is left of its patience with a silent host; negative when that is over.
    pub(super) watchdog: Option<Field>,
    /// The greatest speed, where it is told before torque comes on, and lies between the others.
    pub(super) speed_limit: Option<Field>,
}

/// The most bytes of a goal block.
pub(super) const MOST_GOAL: usize = 16;
/// Registers with no more bytes between them are read together.
const GAP: u16 = 4;
/// Blocks are no longer than this.
const MOST_BLOCK: u16 = 64;

impl Layout {
    /// The layout of a map's servos; `None` where the map lacks what every servo has, which no map does.
    pub(super) fn of(map: &RegisterMap) -> Option<Self> {
        let per_second = |register: &Register| speed_scale(map, register);
        let quantities = [
            (Role::Position, Quantity::Position),
            (Role::Speed, Quantity::Speed),
            (Role::Load, Quantity::Load),
            (Role::Current, Quantity::Current),
            (Role::Voltage, Quantity::Voltage),
            (Role::Temperature, Quantity::Temperature),
            (Role::Alarms, Quantity::Alarms),
        ];
        let mut told: Vec<(Quantity, &Register)> =
            quantities.iter().filter_map(|(role, what)| Some((*what, map.role(*role)?))).collect();
        told.sort_by_key(|(_, register)| register.address);
        let mut readings: Vec<Reading> =
            near_each_other(&told, GAP).into_iter().map(|group| reading(map, group, per_second)).collect();
        let is_fast = |reading: &Reading| reading.fields.iter().any(|(what, _)| *what == Quantity::Position);
        let fast = readings.iter().position(is_fast)?;
        let fast = readings.remove(fast);

        let goal = map.role(Role::GoalPosition)?;
        // Feetech servos take a goal's speed along with it; Dynamixels keep it, and shorter writes are quicker.
        let along: &[Role] = match map.family {
            Family::FeetechSts | Family::FeetechScs => {
                &[Role::Acceleration, Role::GoalPosition, Role::GoalTime, Role::GoalSpeed]
            }
            Family::Dynamixel2 => &[Role::GoalPosition],
        };
        let mut written: Vec<(Role, &Register)> =
            along.iter().filter_map(|role| Some((*role, map.role(*role)?))).collect();
        written.sort_by_key(|(_, register)| register.address);
        let group = near_each_other(&written, 0)
            .into_iter()
            .find(|group| group.iter().any(|(role, _)| *role == Role::GoalPosition))?;
        let block = span(group.iter().map(|(_, register)| *register))?;
        let speed = map.role(Role::GoalSpeed);
        let is_along = |role: Role| group.iter().any(|(along, _)| *along == role);
        let apart = |role: Role| map.role(role).filter(|_| !is_along(role)).map(|r| (r, command(map, r)));

        let torque_enable = map.role(Role::TorqueEnable)?;
        let (torque_limit, watchdog) = (map.role(Role::TorqueLimit), map.role(Role::Watchdog));
        let judged: Vec<&Register> =
            [Some(torque_enable), Some(goal), torque_limit, watchdog].into_iter().flatten().collect();
        let standing = span(judged.iter().copied())?;
        let within = |register: &Register| field(map, register, standing.address, register.scale);
        let lies_within = |register: &&Register| {
            standing.address <= register.address && register.end() <= standing.address + standing.len
        };
        let current = map.role(Role::Current).and(map.role(Role::CurrentLimit));
        Some(Self {
            fast,
            slow: readings,
            gathering: None,
            goal: block,
            goal_position: field(map, goal, block.address, 1.0),
            goal_speed: speed
                .filter(|_| is_along(Role::GoalSpeed))
                .map(|register| field(map, register, block.address, per_second(register))),
            speed_limit: apart(Role::GoalSpeed).map(|(register, command)| Command {
                field: field(map, register, register.address, per_second(register)),
                ..command
            }),
            acceleration: apart(Role::Acceleration).map(|(_, command)| command),
            torque_enable: command(map, torque_enable),
            torque_limit: torque_limit.map(|register| command(map, register)),
            watchdog: watchdog.map(|register| command(map, register)),
            standing: Standing {
                block: standing,
                torque_enable: within(torque_enable),
                goal_position: within(goal),
                torque_limit: torque_limit.map(within),
                watchdog: watchdog.map(within),
                speed_limit: apart(Role::GoalSpeed)
                    .map(|(register, _)| register)
                    .filter(lies_within)
                    .map(within),
            },
            full_current: current.and_then(|limit| Some(limit.in_units(limit.default?))),
            family: map.family,
        })
    }

    /// The block of a slow reading, or of the fast one, in which the alarms are.
    pub(super) fn slow_alarms(&self) -> Option<usize> {
        let has_alarms = |reading: &Reading| reading.fields.iter().any(|(what, _)| *what == Quantity::Alarms);
        self.slow.iter().position(has_alarms)
    }
}

impl Field {
    /// The value in a block, as it is coded; 0 where the block is too short.
    pub(super) fn raw(&self, block: &[u8]) -> i64 {
        let bytes = block.get(self.at..self.at + usize::from(self.size)).unwrap_or_default();
        self.coding.decode(bytes, self.order)
    }

    /// The value in a block, in its unit.
    #[expect(clippy::cast_precision_loss, reason = "at most 32 bits")]
    pub(super) fn value(&self, block: &[u8]) -> f64 {
        self.raw(block) as f64 * self.scale
    }

    /// The nearest value that the register takes to a quantity in its unit.
    pub(super) fn nearest(&self, quantity: f64) -> i64 {
        #[expect(clippy::cast_possible_truncation, reason = "float casts saturate")]
        let value = (quantity / self.scale).round() as i64;
        value.clamp(self.takes.0, self.takes.1)
    }

    /// The least value that the register takes and that is no less than a quantity in its unit.
    pub(super) fn no_less(&self, quantity: f64) -> i64 {
        #[expect(clippy::cast_possible_truncation, reason = "float casts saturate")]
        let value = (quantity / self.scale).ceil() as i64;
        value.clamp(self.takes.0, self.takes.1)
    }

    /// Puts a value that the register takes into a block.
    pub(super) fn put(&self, value: i64, block: &mut [u8]) {
        let encoded = self.coding.encode(value.clamp(self.takes.0, self.takes.1), self.size, self.order);
        if let Some(place) = block.get_mut(self.at..self.at + usize::from(self.size)) {
            place.copy_from_slice(encoded.as_ref());
        }
    }
}

impl Command {
    /// The bytes of a value.
    pub(super) fn bytes(&self, value: i64) -> impl AsRef<[u8]> + use<> {
        let takes = self.field.takes;
        self.field.coding.encode(value.clamp(takes.0, takes.1), self.field.size, self.field.order)
    }
}

/// How many ticks a second one count of a speed register is.
fn speed_scale(map: &RegisterMap, register: &Register) -> f64 {
    use crate::protocol::registers::Unit;
    match register.unit {
        Unit::RadiansPerSecond => register.scale * map.ticks_per_turn() / std::f64::consts::TAU,
        _ => register.scale,
    }
}

fn field(map: &RegisterMap, register: &Register, from: u16, scale: f64) -> Field {
    Field {
        at: usize::from(register.address - from),
        size: register.size,
        coding: register.coding,
        scale,
        order: map.byte_order(),
        takes: register.takes(),
    }
}

fn command(map: &RegisterMap, register: &Register) -> Command {
    let block = Block { address: register.address, len: register.size.into() };
    Command { block, field: field(map, register, register.address, register.scale) }
}

fn reading(
    map: &RegisterMap,
    group: &[(Quantity, &Register)],
    per_second: impl Fn(&Register) -> f64,
) -> Reading {
    let block = span(group.iter().map(|(_, register)| *register)).unwrap_or(Block { address: 0, len: 0 });
    let scale = |what: Quantity, register: &Register| match what {
        Quantity::Speed => per_second(register),
        _ => register.scale,
    };
    let fields = group.iter().map(|(what, r)| (*what, field(map, r, block.address, scale(*what, r))));
    Reading { block, fields: fields.collect() }
}

/// The block from the first to the last of registers.
fn span<'a>(registers: impl Iterator<Item = &'a Register> + Clone) -> Option<Block> {
    let address = registers.clone().map(|register| register.address).min()?;
    let end = registers.map(Register::end).max()?;
    Some(Block { address, len: end - address })
}

/// Cuts a list by rising address where more than `gap` bytes lie between, or blocks become too long.
fn near_each_other<'a, 'r, T>(sorted: &'a [(T, &'r Register)], gap: u16) -> Vec<&'a [(T, &'r Register)]> {
    let mut groups = Vec::new();
    let mut begin = 0;
    for end in 1..=sorted.len() {
        let is_over = match (sorted.get(end), &sorted[end - 1], &sorted[begin]) {
            (None, _, _) => true,
            (Some((_, next)), (_, last), (_, first)) => {
                last.end() + gap < next.address || MOST_BLOCK < next.end() - first.address
            }
        };
        if is_over {
            groups.push(&sorted[begin..end]);
            begin = end;
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(model: &str) -> Layout {
        Layout::of(&RegisterMap::shipped(model).unwrap()).unwrap()
    }

    fn block(address: u16, len: u16) -> Block {
        Block { address, len }
    }

    #[test]
    fn an_sts_is_read_and_told_in_the_blocks_of_the_arithmetic() {
        let sts = layout("sts3215");
        assert_eq!(
            (sts.fast.block, sts.goal, sts.standing.block),
            (block(56, 15), block(41, 7), block(40, 10))
        );
        assert!(sts.slow.is_empty() && sts.speed_limit.is_none() && sts.acceleration.is_none());
        assert_eq!(sts.torque_limit.unwrap().block, block(48, 2));
    }

    #[test]
    fn an_scs_has_no_torque_limit_and_the_lock_is_left_alone() {
        let scs = layout("scs0009");
        assert_eq!(
            (scs.fast.block, scs.goal, scs.standing.block),
            (block(56, 10), block(42, 6), block(40, 4))
        );
        assert_eq!((scs.torque_limit, scs.watchdog), (None, None));
    }

    #[test]
    fn a_dynamixel_is_read_in_ten_bytes_and_the_rest_now_and_then() {
        let dxl = layout("xm430-w350");
        assert_eq!((dxl.fast.block, dxl.goal), (block(126, 10), block(116, 4)));
        let slow: Vec<Block> = dxl.slow.iter().map(|reading| reading.block).collect();
        assert_eq!(slow, [block(70, 1), block(144, 3)]);
        assert_eq!(dxl.slow_alarms(), Some(0));
        assert_eq!(dxl.speed_limit.unwrap().block, block(112, 4));
        assert_eq!((dxl.standing.block, dxl.watchdog.unwrap().block), (block(64, 56), block(98, 1)));
        assert!((dxl.full_current.unwrap() - 3.209).abs() < 1e-3);
        assert_eq!(layout("xl430-w250").full_current, None);
    }

    #[test]
    fn values_are_found_where_the_map_says() {
        let dxl = layout("xm430-w350");
        // Current -1, velocity 253, position 2048, as captured.
        let told = [0xFF, 0xFF, 253, 0, 0, 0, 0, 8, 0, 0];
        let value = |what| {
            let (_, field) = dxl.fast.fields.iter().find(|(quantity, _)| *quantity == what).unwrap();
            field.value(&told)
        };
        assert_eq!((value(Quantity::Current), value(Quantity::Position)), (-0.00269, 2048.0));
        // Radians a second of the register, in ticks a second.
        let ticks_a_second = 253.0 * 0.0239691 * 4096.0 / std::f64::consts::TAU;
        assert!((value(Quantity::Speed) - ticks_a_second).abs() < 1e-6);
    }
}
