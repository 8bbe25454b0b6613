//! The registers of one servo: what it holds now, and what it still holds once the power was away.
//!
//! Knows addresses and areas, not what the values do.

use crate::protocol::feetech::registers::{self, Access, Area, END, LOCK, Register, STS3215};

const SIZE: usize = END as usize;

/// The bytes of a servo's registers.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    now: [u8; SIZE],
    kept: [u8; SIZE],
}

impl Memory {
    /// As it comes from the factory, with that id.
    pub(super) fn from_factory(id: u8) -> Self {
        let mut memory = Self { now: [0; SIZE], kept: [0; SIZE] };
        for register in STS3215 {
            memory.put_raw(register, register.default);
        }
        memory.put_raw(&registers::ID, u16::from(id));
        memory.kept = memory.now;
        memory
    }

    /// As it is after the power was away: RAM as from the factory, EEPROM as kept.
    pub(super) fn power_cycle(&mut self) {
        let factory = Self::from_factory(0).now;
        for register in STS3215 {
            let range = range_of(register);
            let source = if register.area == Area::Eeprom { &self.kept } else { &factory };
            self.now[range.clone()].copy_from_slice(&source[range]);
        }
        let most = self.raw(&registers::MAX_TORQUE);
        self.put_raw(&registers::TORQUE_LIMIT, most);
    }

    /// The factory's registers, for good; the id stays.
    pub(super) fn reset(&mut self) {
        *self = Self::from_factory(self.now[usize::from(registers::ID.address)]);
    }

    /// `len` bytes from `address` on; zeros where there are no registers.
    pub(super) fn bytes(&self, address: u8, len: u8) -> impl Iterator<Item = u8> {
        let from = usize::from(address);
        (from..from + usize::from(len)).map(|at| self.now.get(at).copied().unwrap_or(0))
    }

    /// Takes what the host writes; bytes that it may not change stay as they are.
    pub(super) fn write(&mut self, address: u8, data: &[u8]) {
        let is_kept = self.value(&LOCK) == 0;
        for (at, byte) in (usize::from(address)..).zip(data) {
            let Some(register) = register_at(at).filter(|register| register.access == Access::ReadWrite)
            else {
                continue;
            };
            self.now[at] = *byte;
            if is_kept && register.area == Area::Eeprom {
                self.kept[at] = *byte;
            }
        }
    }

    /// The value of a register.
    pub(super) fn value(&self, register: &Register) -> i32 {
        register.decode_raw(self.raw(register))
    }

    /// Sets a register, whoever may write it; a value that does not fit becomes the nearest that does.
    pub(super) fn put(&mut self, register: &Register, value: i32) {
        let (least, most) = register.range();
        if let Ok(bytes) = register.encode(value.clamp(least, most)) {
            self.now[range_of(register)].copy_from_slice(bytes.as_ref());
        }
    }

    /// As [`Self::put`], and for good.
    pub(super) fn keep(&mut self, register: &Register, value: i32) {
        self.put(register, value);
        let range = range_of(register);
        self.kept[range.clone()].copy_from_slice(&self.now[range]);
    }

    fn raw(&self, register: &Register) -> u16 {
        let at = usize::from(register.address);
        let high = if register.size == 2 { self.now[at + 1] } else { 0 };
        u16::from_le_bytes([self.now[at], high])
    }

    fn put_raw(&mut self, register: &Register, raw: u16) {
        let range = range_of(register);
        let len = range.len();
        self.now[range].copy_from_slice(&raw.to_le_bytes()[..len]);
    }
}

/// Whether a write of `len` bytes at `address` touches the register.
pub(super) fn touches(address: u8, len: usize, register: &Register) -> bool {
    let (from, range) = (usize::from(address), range_of(register));
    from < range.end && range.start < from + len
}

fn range_of(register: &Register) -> std::ops::Range<usize> {
    let from = usize::from(register.address);
    from..from + usize::from(register.size)
}

fn register_at(at: usize) -> Option<&'static Register> {
    STS3215.iter().find(|register| range_of(register).contains(&at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eeprom_written_unlocked_outlives_the_power() {
        let mut memory = Memory::from_factory(3);
        memory.write(LOCK.address, &[0]);
        memory.write(registers::POSITION_P.address, &[16]);
        memory.power_cycle();
        assert_eq!(memory.value(&registers::POSITION_P), 16);
        assert_eq!(memory.value(&registers::ID), 3);
    }

    #[test]
    fn eeprom_written_locked_is_lost_with_the_power() {
        let mut memory = Memory::from_factory(3);
        memory.write(LOCK.address, &[1]);
        memory.write(registers::POSITION_P.address, &[16]);
        assert_eq!(memory.value(&registers::POSITION_P), 16);
        memory.power_cycle();
        assert_eq!(memory.value(&registers::POSITION_P), 32);
    }

    #[test]
    fn ram_is_lost_and_the_torque_limit_comes_from_eeprom() {
        let mut memory = Memory::from_factory(3);
        memory.write(LOCK.address, &[0]);
        memory.write(registers::MAX_TORQUE.address, &[0xF4, 0x01]);
        memory.write(registers::TORQUE_ENABLE.address, &[1]);
        memory.power_cycle();
        assert_eq!(memory.value(&registers::TORQUE_ENABLE), 0);
        assert_eq!(memory.value(&registers::TORQUE_LIMIT), 500);
    }

    #[test]
    fn what_only_the_servo_tells_cannot_be_written() {
        let mut memory = Memory::from_factory(3);
        memory.write(registers::MODEL.address, &[1, 1]);
        memory.write(registers::PRESENT_TEMPERATURE.address, &[99]);
        memory.write(250, &[1, 2, 3]);
        assert_eq!(memory.value(&registers::MODEL), 777);
        assert_eq!(memory.value(&registers::PRESENT_TEMPERATURE), 25);
    }

    #[test]
    fn reading_past_the_end_gives_zeros() {
        let memory = Memory::from_factory(3);
        assert_eq!(memory.bytes(86, 4).collect::<Vec<_>>(), [1, 0, 0, 0]);
        assert_eq!(memory.bytes(3, 2).collect::<Vec<_>>(), [9, 3]);
    }
}
