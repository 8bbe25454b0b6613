//! Registers that lie apart, read as one block: a servo with indirect addresses brings them together.
//!
//! A servo forgets such addresses when it loses its power, and then tells zeros. So a register that is never 0 is read
//! along with the others: where it is 0, nothing of the answer is to be believed.

use super::{Block, Field, Layout, Reading};
use crate::protocol::registers::{Register, RegisterMap, Role};

/// What a servo is told so that it brings its registers together.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::servo) struct Gathering {
    /// Where the addresses are kept,
    pub(in crate::servo) addresses: Block,
    /// and what they are, as they are written.
    pub(in crate::servo) content: Vec<u8>,
    proof: Field,
}

impl Gathering {
    /// Whether the servo that answered this has forgotten the addresses.
    pub(in crate::servo) fn is_forgotten(&self, data: &[u8]) -> bool {
        self.proof.raw(data) == 0
    }
}

impl Layout {
    /// The same with all that is told in the block that is read in each cycle.
    ///
    /// # Errors
    /// What the map lacks for that, in words.
    pub(in crate::servo) fn gathered(mut self, map: &RegisterMap) -> Result<Self, String> {
        let needed = |role: Role| {
            map.role(role).ok_or_else(|| {
                let (name, model) = (role.names()[0], &map.name);
                format!("its model {model} has no `{name}`, so its telemetry cannot be gathered; set gather_telemetry to false")
            })
        };
        let (addresses, data) = (needed(Role::IndirectAddress)?, needed(Role::IndirectData)?);
        let proof = needed(Role::ReturnLevel)?;
        let mut told: Vec<u16> = (proof.address..proof.end()).collect();
        let mut fields = Vec::new();
        for Reading { block, fields: known } in std::iter::once(&self.fast).chain(&self.slow) {
            for (what, field) in known {
                let from = block.address + u16::try_from(field.at).unwrap_or(u16::MAX);
                fields.push((*what, Field { at: told.len(), ..*field }));
                told.extend(from..from + u16::from(field.size));
            }
        }
        let room = usize::from(data.address.saturating_sub(addresses.address)) / 2;
        if room < told.len() {
            let (model, count) = (&map.name, told.len());
            return Err(format!(
                "its model {model} has {room} indirect addresses, and {count} are needed to gather its telemetry; set \
                 gather_telemetry to false"
            ));
        }
        let len = u16::try_from(told.len()).unwrap_or(u16::MAX);
        self.gathering = Some(Gathering {
            addresses: Block { address: addresses.address, len: 2 * len },
            content: told.into_iter().flat_map(|address| encoded(map, addresses, address)).collect(),
            proof: super::field(map, proof, proof.address, 1.0),
        });
        self.fast = Reading { block: Block { address: data.address, len }, fields };
        self.slow.clear();
        Ok(self)
    }
}

fn encoded(map: &RegisterMap, register: &Register, address: u16) -> [u8; 2] {
    let bytes = register.coding.encode(address.into(), 2, map.byte_order());
    let mut pair = [0; 2];
    pair.iter_mut().zip(bytes.as_ref()).for_each(|(to, from)| *to = *from);
    pair
}

#[cfg(test)]
mod tests {
    use super::super::Quantity;
    use super::*;

    fn gathered(model: &str) -> Result<Layout, String> {
        let map = RegisterMap::shipped(model).unwrap();
        Layout::of(&map).unwrap().gathered(&map)
    }

    #[test]
    fn all_that_a_dynamixel_tells_is_one_block_of_fifteen_bytes() {
        let layout = gathered("xm430-w350").unwrap();
        assert!(layout.slow.is_empty());
        assert_eq!(layout.fast.block, Block { address: 224, len: 15 });
        let gathering = layout.gathering.unwrap();
        assert_eq!(gathering.addresses, Block { address: 168, len: 30 });
        let address = |index: usize| {
            u16::from_le_bytes([gathering.content[2 * index], gathering.content[2 * index + 1]])
        };
        let told: Vec<u16> = (0..15).map(address).collect();
        assert_eq!(told, [68, 126, 127, 128, 129, 130, 131, 132, 133, 134, 135, 70, 144, 145, 146]);

        let said = [2, 0xFF, 0xFF, 253, 0, 0, 0, 0, 8, 0, 0, 4, 120, 0, 31];
        assert!(!gathering.is_forgotten(&said) && gathering.is_forgotten(&[0; 15]));
        let value = |what| {
            let (_, field) = layout.fast.fields.iter().find(|(quantity, _)| *quantity == what).unwrap();
            field.value(&said)
        };
        assert_eq!((value(Quantity::Position), value(Quantity::Alarms)), (2048.0, 4.0));
        assert_eq!((value(Quantity::Voltage), value(Quantity::Temperature)), (12.0, 31.0));
    }

    #[test]
    fn a_servo_that_cannot_gather_is_said_to_lack_what_it_lacks() {
        assert_eq!(gathered("xl330-m288").unwrap().gathering.unwrap().addresses.address, 168);
        let refused = gathered("sts3215").unwrap_err();
        assert_eq!(
            refused,
            "its model sts3215 has no `indirect_address_1`, so its telemetry cannot be gathered; set gather_telemetry \
             to false"
        );
    }
}
