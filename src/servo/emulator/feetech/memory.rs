//! The registers of one servo: what it holds now, and what it still holds once the power was away.
//!
//! Knows addresses and areas, not what the values do.

use super::model::Model;
use crate::protocol::feetech::registers::{self, Access, Area, END, LOCK, Register};

const SIZE: usize = END as usize;

/// The bytes of a servo's registers.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    model: &'static Model,
    now: [u8; SIZE],
    kept: [u8; SIZE],
}

impl Memory {
    /// As it comes from the factory, with that id.
    pub(super) fn from_factory(model: &'static Model, id: u8) -> Self {
        let mut memory = Self { model, now: [0; SIZE], kept: [0; SIZE] };
        for register in model.registers {
            memory.put_raw(register, register.default);
        }
        memory.put(&registers::ID, id.into());
        memory.kept = memory.now;
        memory
    }

    /// As it is after the power was away: RAM as from the factory, EEPROM as kept.
    pub(super) fn power_cycle(&mut self) {
        let factory = Self::from_factory(self.model, 0).now;
        for register in self.model.registers {
            let range = range_of(register);
            let source = if register.area == Area::Eeprom { &self.kept } else { &factory };
            self.now[range.clone()].copy_from_slice(&source[range]);
        }
        self.put(&registers::TORQUE_LIMIT, self.value(&registers::MAX_TORQUE));
    }

    /// The factory's registers, for good; the id stays.
    pub(super) fn reset(&mut self) {
        let id = u8::try_from(self.value(&registers::ID)).unwrap_or(0);
        *self = Self::from_factory(self.model, id);
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
            let registers = self.model.registers.iter();
            let found = registers.filter(|register| register.access == Access::ReadWrite);
            let Some(register) = found.into_iter().find(|register| range_of(register).contains(&at)) else {
                continue;
            };
            self.now[at] = *byte;
            if is_kept && register.area == Area::Eeprom {
                self.kept[at] = *byte;
            }
        }
    }

    /// The model, and so its registers.
    pub(super) fn model(&self) -> &'static Model {
        self.model
    }

    /// The value of a register; that of an STS3215 as it comes from the factory, where this model has none.
    pub(super) fn value(&self, register: &Register) -> i32 {
        let Some(own) = self.model.named(register.name) else { return register.decode_raw(register.default) };
        own.decode_raw(self.raw(own))
    }

    /// Sets a register, whoever may write it; a value that does not fit becomes the nearest that does. Nothing where
    /// this model has none.
    pub(super) fn put(&mut self, register: &Register, value: i32) {
        let Some(own) = self.model.named(register.name) else { return };
        let (least, most) = own.range();
        if let Ok(bytes) = own.encode(value.clamp(least, most)) {
            let bytes = bytes.as_ref();
            let raw = u16::from_le_bytes([bytes[0], bytes.get(1).copied().unwrap_or(0)]);
            self.put_raw(own, raw);
        }
    }

    /// As [`Self::put`], and for good.
    pub(super) fn keep(&mut self, register: &Register, value: i32) {
        self.put(register, value);
        if let Some(own) = self.model.named(register.name) {
            let range = range_of(own);
            self.kept[range.clone()].copy_from_slice(&self.now[range]);
        }
    }

    /// Whether a write of `len` bytes at `address` touches the register.
    pub(super) fn touches(&self, address: u8, len: usize, register: &Register) -> bool {
        let from = usize::from(address);
        let own = self.model.named(register.name).map(range_of);
        own.is_some_and(|range| from < range.end && range.start < from + len)
    }

    /// The raw word of one of the model's own registers.
    fn raw(&self, register: &Register) -> u16 {
        let at = usize::from(register.address);
        if register.size == 2 {
            self.model.word([self.now[at], self.now[at + 1]])
        } else {
            self.now[at].into()
        }
    }

    fn put_raw(&mut self, register: &Register, raw: u16) {
        let range = range_of(register);
        let [low, _] = raw.to_le_bytes();
        if register.size == 2 {
            self.now[range].copy_from_slice(&self.model.bytes(raw));
        } else {
            self.now[range.start] = low;
        }
    }
}

fn range_of(register: &Register) -> std::ops::Range<usize> {
    let from = usize::from(register.address);
    from..from + usize::from(register.size)
}

#[cfg(test)]
mod tests {
    use super::super::model::{SCS, STS};
    use super::*;

    #[test]
    fn eeprom_written_unlocked_outlives_the_power() {
        let mut memory = Memory::from_factory(STS, 3);
        memory.write(LOCK.address, &[0]);
        memory.write(registers::POSITION_P.address, &[16]);
        memory.power_cycle();
        assert_eq!(memory.value(&registers::POSITION_P), 16);
        assert_eq!(memory.value(&registers::ID), 3);
    }

    #[test]
    fn eeprom_written_locked_is_lost_with_the_power() {
        let mut memory = Memory::from_factory(STS, 3);
        memory.write(LOCK.address, &[1]);
        memory.write(registers::POSITION_P.address, &[16]);
        assert_eq!(memory.value(&registers::POSITION_P), 16);
        memory.power_cycle();
        assert_eq!(memory.value(&registers::POSITION_P), 32);
    }

    #[test]
    fn ram_is_lost_and_the_torque_limit_comes_from_eeprom() {
        let mut memory = Memory::from_factory(STS, 3);
        memory.write(LOCK.address, &[0]);
        memory.write(registers::MAX_TORQUE.address, &[0xF4, 0x01]);
        memory.write(registers::TORQUE_ENABLE.address, &[1]);
        memory.power_cycle();
        assert_eq!(memory.value(&registers::TORQUE_ENABLE), 0);
        assert_eq!(memory.value(&registers::TORQUE_LIMIT), 500);
    }

    #[test]
    fn what_only_the_servo_tells_cannot_be_written() {
        let mut memory = Memory::from_factory(STS, 3);
        memory.write(registers::MODEL.address, &[1, 1]);
        memory.write(registers::PRESENT_TEMPERATURE.address, &[99]);
        memory.write(250, &[1, 2, 3]);
        assert_eq!(memory.value(&registers::MODEL), 777);
        assert_eq!(memory.value(&registers::PRESENT_TEMPERATURE), 25);
    }

    #[test]
    fn reading_past_the_end_gives_zeros() {
        let memory = Memory::from_factory(STS, 3);
        assert_eq!(memory.bytes(86, 4).collect::<Vec<_>>(), [1, 0, 0, 0]);
        assert_eq!(memory.bytes(3, 2).collect::<Vec<_>>(), [9, 3]);
    }

    #[test]
    fn an_scs_has_its_words_and_its_lock_elsewhere() {
        let mut memory = Memory::from_factory(SCS, 3);
        assert_eq!(memory.bytes(3, 2).collect::<Vec<_>>(), [5, 4]);
        memory.write(42, &[2, 1]);
        assert_eq!(memory.value(&registers::GOAL_POSITION), 513);
        memory.write(48, &[0]);
        memory.write(9, &[0, 100]);
        memory.power_cycle();
        assert_eq!(memory.value(&registers::MIN_ANGLE), 100);
        assert_eq!(memory.value(&registers::TORQUE_LIMIT), 1000);
        assert_eq!(memory.value(&registers::PRESENT_POSITION), 512);
    }
}
