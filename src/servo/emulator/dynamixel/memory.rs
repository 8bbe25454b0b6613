//! The registers of one servo: what it holds now, and what it still holds once the power was away.
//!
//! Knows addresses, ranges and what can be written when, not what the values do. A write that has any fault changes
//! nothing.

use super::table::{self, Access, END, INDIRECT, INDIRECT_RANGE, Register, XM430};
use crate::protocol::dynamixel::ErrorCode;

/// The bytes of a servo's registers.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    now: [u8; END],
    kept: [u8; END],
}

impl Memory {
    /// As it comes from the factory, with that id.
    pub(super) fn from_factory(id: u8) -> Self {
        let mut memory = Self { now: [0; END], kept: [0; END] };
        for register in XM430 {
            memory.put(register, register.default);
        }
        memory.put(&table::ID, id.into());
        for (addresses, data, count) in INDIRECT {
            for index in 0..count {
                memory.point(addresses + 2 * index, data + index);
            }
        }
        memory.kept = memory.now;
        memory
    }

    /// As it is after the power was away.
    pub(super) fn power_cycle(&mut self) {
        let kept = self.kept;
        *self = Self::from_factory(0);
        let outlives =
            |register: &&Register| register.access == Access::Kept || **register == table::MODEL_NUMBER;
        for register in XM430.iter().filter(outlives) {
            self.now[register.span()].copy_from_slice(&kept[register.span()]);
        }
        self.kept = kept;
        self.put(&table::GOAL_PWM, self.value(&table::PWM_LIMIT));
        self.put(&table::GOAL_CURRENT, self.value(&table::CURRENT_LIMIT));
    }

    /// `len` bytes from `address` on; zeros where there are no registers, an error behind the last.
    pub(super) fn read(&self, address: u16, len: u16) -> Result<Vec<u8>, ErrorCode> {
        let from = usize::from(address);
        let to = from + usize::from(len);
        if END < to {
            return Err(ErrorCode::Access);
        }
        Ok((from..to).map(|at| self.now[self.meant(at)]).collect())
    }

    /// What a write would change: registers and their new values.
    pub(super) fn check(&self, address: u16, data: &[u8]) -> Result<Write, ErrorCode> {
        let mut bytes: Vec<(usize, u8)> = Vec::new();
        for (at, byte) in (usize::from(address)..).zip(data) {
            if END <= at {
                return Err(ErrorCode::Access);
            }
            bytes.push((self.meant(at), *byte));
        }
        let mut write = Write { registers: Vec::new(), pointers: Vec::new() };
        while let Some(&(at, _)) = bytes.first() {
            let of = |span: std::ops::Range<usize>, bytes: &[(usize, u8)]| -> Option<Vec<u8>> {
                span.map(|at| bytes.iter().find(|(known, _)| *known == at).map(|(_, byte)| *byte)).collect()
            };
            if let Some(register) = table::at(at) {
                let whole = of(register.span(), &bytes).ok_or(ErrorCode::DataLength)?;
                write.registers.push((register, self.judge(register, &whole)?));
                bytes.retain(|(at, _)| !register.span().contains(at));
            } else {
                let pointer = pointer_at(at).ok_or(ErrorCode::Access)?;
                let whole = of(pointer..pointer + 2, &bytes).ok_or(ErrorCode::DataLength)?;
                let target = usize::from(u16::from_le_bytes([whole[0], whole[1]]));
                if !INDIRECT_RANGE.contains(&target) {
                    return Err(ErrorCode::DataRange);
                }
                write.pointers.push((pointer, target));
                bytes.retain(|(at, _)| !(pointer..pointer + 2).contains(at));
            }
        }
        Ok(write)
    }

    /// Carries out a write that was checked.
    pub(super) fn carry_out(&mut self, write: &Write) {
        for (register, value) in &write.registers {
            self.put(register, *value);
            if register.access == Access::Kept {
                self.kept[register.span()].copy_from_slice(&self.now[register.span()]);
            }
        }
        for (pointer, target) in &write.pointers {
            self.point(*pointer, *target);
        }
    }

    /// The value of a register.
    pub(super) fn value(&self, register: &Register) -> i64 {
        register.decode(&self.now[register.span()])
    }

    /// Sets a register, whoever may write it.
    pub(super) fn put(&mut self, register: &Register, value: i64) {
        self.now[register.span()].copy_from_slice(&register.encode(value));
    }

    /// As [`Self::put`], and for good.
    pub(super) fn keep(&mut self, register: &Register, value: i64) {
        self.put(register, value);
        self.kept[register.span()].copy_from_slice(&self.now[register.span()]);
    }

    /// Whether the register takes these bytes now.
    fn judge(&self, register: &Register, bytes: &[u8]) -> Result<i64, ErrorCode> {
        let value = register.decode(bytes);
        let has_torque = self.value(&table::TORQUE_ENABLE) != 0;
        match register.access {
            Access::Told => return Err(ErrorCode::Access),
            Access::Kept if has_torque => return Err(ErrorCode::Access),
            Access::Kept | Access::Lost => {}
        }
        let is_mode = *register == table::OPERATING_MODE;
        let is_known = !is_mode || [0, 1, 3, 4, 5, 16].contains(&value);
        if !(register.range.0..=register.range.1).contains(&value) || !is_known {
            return Err(ErrorCode::DataRange);
        }
        self.judge_watchdog(register, value)?;
        self.judge_limits(register, value)?;
        Ok(value)
    }

    /// Once the watchdog has struck, goals are refused until it is given a 0.
    fn judge_watchdog(&self, register: &Register, value: i64) -> Result<(), ErrorCode> {
        let has_struck = self.value(&table::BUS_WATCHDOG) == -1;
        let is_watchdog = *register == table::BUS_WATCHDOG;
        let is_goal = [table::GOAL_PWM, table::GOAL_CURRENT, table::GOAL_VELOCITY, table::GOAL_POSITION]
            .contains(register);
        let is_refused =
            (has_struck && (is_goal || (is_watchdog && value != 0))) || (is_watchdog && value < 0);
        if is_refused { Err(ErrorCode::DataRange) } else { Ok(()) }
    }

    /// Goals are held against the limits that other registers set.
    fn judge_limits(&self, register: &Register, value: i64) -> Result<(), ErrorCode> {
        let limit = if *register == table::GOAL_PWM {
            self.value(&table::PWM_LIMIT)
        } else if *register == table::GOAL_CURRENT {
            self.value(&table::CURRENT_LIMIT)
        } else if *register == table::GOAL_VELOCITY {
            self.value(&table::VELOCITY_LIMIT)
        } else {
            i64::MAX
        };
        let is_within_a_turn = self.value(&table::OPERATING_MODE) == 3;
        let is_beyond = *register == table::GOAL_POSITION
            && is_within_a_turn
            && !(self.value(&table::MIN_POSITION_LIMIT)..=self.value(&table::MAX_POSITION_LIMIT))
                .contains(&value);
        if limit < value.abs() || is_beyond { Err(ErrorCode::DataLimit) } else { Ok(()) }
    }

    /// The address that is meant: an indirect one leads elsewhere.
    pub(super) fn meant(&self, at: usize) -> usize {
        for (addresses, data, count) in INDIRECT {
            if (data..data + count).contains(&at) {
                let pointer = addresses + 2 * (at - data);
                let target = usize::from(u16::from_le_bytes([self.now[pointer], self.now[pointer + 1]]));
                // A pointer to indirect data is followed no further.
                return if target < END { target } else { at };
            }
        }
        at
    }

    fn point(&mut self, pointer: usize, target: usize) {
        let target = u16::try_from(target).unwrap_or(0).to_le_bytes();
        self.now[pointer..pointer + 2].copy_from_slice(&target);
    }
}

/// A write that can be carried out.
#[derive(Clone, Debug)]
pub(super) struct Write {
    registers: Vec<(&'static Register, i64)>,
    pointers: Vec<(usize, usize)>,
}

impl Write {
    /// Whether it changes the register.
    pub(super) fn touches(&self, register: &Register) -> bool {
        self.registers.iter().any(|(changed, _)| *changed == register)
    }
}

/// Where the indirect address begins that this address belongs to.
fn pointer_at(at: usize) -> Option<usize> {
    INDIRECT.into_iter().find_map(|(addresses, _, count)| {
        (addresses..addresses + 2 * count).contains(&at).then(|| at - (at - addresses) % 2)
    })
}
