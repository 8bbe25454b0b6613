//! The checksum of a packet: CRC-16 with the polynomial 0x8005, beginning with 0, highest bit first.

const TABLE: [u16; 256] = table();

const fn table() -> [u16; 256] {
    let mut table = [0; 256];
    let mut byte: u16 = 0;
    while byte < 256 {
        let (mut rest, mut bit) = (byte << 8, 0);
        while bit < 8 {
            rest = if rest & 0x8000 == 0 { rest << 1 } else { (rest << 1) ^ 0x8005 };
            bit += 1;
        }
        table[byte as usize] = rest;
        byte += 1;
    }
    table
}

/// The checksum of what `before` is the checksum of, with `bytes` behind it.
pub fn continued(before: u16, bytes: &[u8]) -> u16 {
    bytes.iter().fold(before, |crc, byte| {
        let [high, low] = crc.to_be_bytes();
        u16::from_be_bytes([low, 0]) ^ TABLE[usize::from(high ^ byte)]
    })
}

/// The checksum of `bytes`.
pub fn of(bytes: &[u8]) -> u16 {
    continued(0, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ping_has_the_checksum_of_the_manual() {
        assert_eq!(of(&[0xFF, 0xFF, 0xFD, 0x00, 0x01, 0x03, 0x00, 0x01]), 0x4E19);
    }

    #[test]
    fn it_can_be_computed_in_pieces() {
        let bytes = [0xFF, 0xFF, 0xFD, 0x00, 0x01, 0x07, 0x00, 0x02, 0x46, 0x00];
        assert_eq!(continued(of(&bytes[..4]), &bytes[4..]), of(&bytes));
    }
}
