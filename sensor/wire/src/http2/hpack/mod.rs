//! Header blocks (RFC 7541), read by an own decoder: the crates that do it alone allocate by what the sender says.

mod huffman;
mod table;

use crate::{Reader, Violation};
use table::Table;

/// Decodes the blocks of one side, in order.
#[derive(Debug)]
pub(super) struct Decoder {
    table: Table,
}

impl Decoder {
    pub(super) fn new() -> Self {
        Self {
            table: Table::new(),
        }
    }

    /// The size of its table.
    pub(super) fn held(&self) -> usize {
        self.table.size()
    }

    /// Decodes a whole block; hands out name and value of each field.
    pub(super) fn block(
        &mut self,
        input: &[u8],
        mut emit: impl FnMut(&[u8], &[u8]),
    ) -> Result<(), Violation> {
        let mut reader = Reader::new(input);
        let (mut count, mut octets) = (0, 0);
        while let Some(first) = reader.u8() {
            count += 1;
            if count > MAX_FIELDS {
                return Err(Violation("too many fields in a header block"));
            }
            match first {
                0x80.. => {
                    let number = integer(first, 7, &mut reader)?;
                    let (name, value) = self.table.get(number).ok_or(UNKNOWN)?;
                    octets += name.len() + value.len();
                    emit(name, value);
                }
                0x40.. => {
                    let (name, value) = self.literal(first, 6, &mut reader)?;
                    octets += name.len() + value.len();
                    emit(&name, &value);
                    self.table.add(&name, &value);
                }
                0x20.. => {
                    let limit = integer(first, 5, &mut reader)?;
                    if limit > MAX_TABLE {
                        return Err(Violation("a header table is too large"));
                    }
                    self.table.set_limit(limit);
                }
                _ => {
                    let (name, value) = self.literal(first, 4, &mut reader)?;
                    octets += name.len() + value.len();
                    emit(&name, &value);
                }
            }
            if octets > MAX_LIST {
                return Err(Violation("a header block stands for too much"));
            }
        }
        Ok(())
    }

    fn literal(
        &self,
        first: u8,
        prefix: u8,
        reader: &mut Reader<'_>,
    ) -> Result<(Vec<u8>, Vec<u8>), Violation> {
        let name = match integer(first, prefix, reader)? {
            0 => string(reader)?,
            number => self.table.get(number).ok_or(UNKNOWN)?.0.to_vec(),
        };
        Ok((name, string(reader)?))
    }
}

/// An integer whose first bits share an octet with something else (RFC 7541, section 5.1).
fn integer(first: u8, prefix: u8, reader: &mut Reader<'_>) -> Result<usize, Violation> {
    let most = (1_usize << prefix) - 1;
    let mut value = usize::from(first) & most;
    if value < most {
        return Ok(value);
    }
    // Four octets hold more than any length here.
    for shift in [0, 7, 14, 21] {
        let octet = reader.u8().ok_or(CUT)?;
        value += usize::from(octet & 0x7f) << shift;
        if octet & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(Violation("an integer of a header block is too long"))
}

/// RFC 7541, section 5.2. Its octets are in the block: what is decoded is at most 8/5 of them.
fn string(reader: &mut Reader<'_>) -> Result<Vec<u8>, Violation> {
    let first = reader.u8().ok_or(CUT)?;
    let length = integer(first, 7, reader)?;
    let octets = reader.take(length).ok_or(CUT)?;
    if first & 0x80 == 0 {
        return Ok(octets.to_vec());
    }
    let mut output = Vec::with_capacity(octets.len() * 8 / 5);
    huffman::decode(octets, &mut output)?;
    Ok(output)
}

const UNKNOWN: Violation = Violation("a header block refers to an entry that is not there");
const CUT: Violation = Violation("a header block ends within a field");

/// Browsers ask for tables of 64 KiB, everybody else for the usual 4.
const MAX_TABLE: usize = 64 * 1024;

/// Octets of all fields of a block. Servers allow 8 to 64 KiB; an octet may stand for an entry as long as the table.
const MAX_LIST: usize = 256 * 1024;

/// Servers refuse more than some hundred fields; each may be one octet that stands for a long entry.
const MAX_FIELDS: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(decoder: &mut Decoder, block: &[u8]) -> Result<String, &'static str> {
        let mut found = Vec::new();
        decoder
            .block(block, |name, value| {
                found.push(format!(
                    "{}={}",
                    String::from_utf8_lossy(name),
                    String::from_utf8_lossy(value)
                ));
            })
            .map(|()| found.join(" "))
            .map_err(|violation| violation.0)
    }

    #[test]
    fn decodes_three_requests_of_the_standard() {
        // RFC 7541, appendix C.4: Huffman strings, and entries of earlier blocks.
        let mut decoder = Decoder::new();
        let first = b"\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff";
        let common = ":method=GET :scheme=http :path=/ :authority=www.example.com";
        assert_eq!(decode(&mut decoder, first).as_deref(), Ok(common));
        let second = b"\x82\x86\x84\xbe\x58\x86\xa8\xeb\x10\x64\x9c\xbf";
        assert_eq!(
            decode(&mut decoder, second),
            Ok(format!("{common} cache-control=no-cache"))
        );
        let third = b"\x82\x87\x85\xbf\x40\x88\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f\x89\x25\xa8\x49\xe9\x5b\xb8\xe8\xb4\xbf";
        assert_eq!(
            decode(&mut decoder, third).as_deref(),
            Ok(
                ":method=GET :scheme=https :path=/index.html :authority=www.example.com custom-key=custom-value"
            )
        );
    }

    #[test]
    fn decodes_literals_that_are_not_added() {
        // RFC 7541, appendix C.2.
        let mut decoder = Decoder::new();
        assert_eq!(
            decode(&mut decoder, b"\x04\x0c/sample/path").as_deref(),
            Ok(":path=/sample/path")
        );
        assert_eq!(
            decode(&mut decoder, b"\x10\x08password\x06secret").as_deref(),
            Ok("password=secret")
        );
        assert_eq!(decode(&mut decoder, b"\xbe"), Err(UNKNOWN.0));
    }

    #[test]
    fn old_entries_make_room_for_new_ones() {
        // A table for one entry of 34 octets.
        let mut decoder = Decoder::new();
        assert_eq!(
            decode(&mut decoder, b"\x3f\x09\x40\x01a\x01b\x40\x01c\x01d\xbe").as_deref(),
            Ok("a=b c=d c=d")
        );
        assert_eq!(decode(&mut decoder, b"\xbf"), Err(UNKNOWN.0));
        // One that is larger than the table empties it.
        assert!(decode(&mut decoder, b"\x40\x03abc\x0a0123456789").is_ok());
        assert_eq!(decode(&mut decoder, b"\xbe"), Err(UNKNOWN.0));
        assert!(decode(&mut decoder, b"\x20").is_ok());
    }

    #[test]
    fn refuses_a_small_block_that_stands_for_megabytes() {
        let mut decoder = Decoder::new();
        let mut block = b"\x40\x01a\x7f\x80\x1e".to_vec();
        block.extend_from_slice(&[b'v'; 0x7f + 0x0f00]);
        block.extend_from_slice(&[0xbe; 60]);
        assert!(decode(&mut decoder, &block).is_ok());
        let bomb = [0xbe; 100];
        assert_eq!(
            decode(&mut decoder, &bomb),
            Err("a header block stands for too much")
        );
    }

    #[test]
    fn refuses_hostile_blocks() {
        for (block, why) in [
            (&b"\x80"[..], UNKNOWN.0),
            (
                b"\xff\xff\xff\xff\xff\xff",
                "an integer of a header block is too long",
            ),
            (b"\x3f\xff\xff\xff\x7f", "a header table is too large"),
            (b"\x40\x7f\xff\xff\x7fa", CUT.0),
            (b"\x40\x01a", CUT.0),
            (b"\x40", CUT.0),
            (&[0x82; MAX_FIELDS + 1], "too many fields in a header block"),
        ] {
            assert_eq!(decode(&mut Decoder::new(), block), Err(why), "{block:?}");
        }
    }
}
