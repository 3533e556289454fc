//! The wire format of protobuf, as far as RustDesk's messages need it.

use crate::Reader;

/// One field of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field<'a> {
    pub(super) number: u32,
    pub(super) value: Value<'a>,
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Number(u64),
    Octets(&'a [u8]),
}

/// A number of up to ten octets, seven bits each, the least significant first.
pub(super) fn varint(reader: &mut Reader<'_>) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let octet = reader.u8()?;
        number |= u64::from(octet & 0x7f) << shift;
        if octet & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// The fields of a record in their order; `None` ends them where something does not fit. As every writer in use, they
/// ascend; a field that repeats (only where it holds octets) stands beside itself.
pub(super) fn fields(record: &[u8]) -> impl Iterator<Item = Option<Field<'_>>> {
    let mut reader = Reader::new(record);
    let (mut last, mut broken) = (0, false);
    std::iter::from_fn(move || {
        if broken || reader.is_empty() {
            return None;
        }
        let field = field(&mut reader).filter(|field| {
            field.number > last || field.number == last && matches!(field.value, Value::Octets(_))
        });
        last = field.map_or(last, |field| field.number);
        broken = field.is_none();
        Some(field)
    })
}

fn field<'a>(reader: &mut Reader<'a>) -> Option<Field<'a>> {
    let tag = varint(reader)?;
    let number = u32::try_from(tag >> 3).ok().filter(|&number| number > 0)?;
    let value = match tag & 7 {
        0 => Value::Number(varint(reader)?),
        2 => {
            let length = usize::try_from(varint(reader)?).ok()?;
            Value::Octets(reader.take(length)?)
        }
        _ => return None,
    };
    Some(Field { number, value })
}
