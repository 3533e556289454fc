//! Skipping a body: nothing of it is kept.

use crate::Violation;

/// Where one side is between two heads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// So many octets of a body, or of a chunk when `chunked`, are still to come.
    Octets {
        /// How many.
        left: u64,
        /// Whether a chunk's end follows.
        chunked: bool,
    },
    /// The line end after a chunk's octets.
    ChunkEnd,
    /// A line with the next chunk's size.
    ChunkSize,
    /// Field lines after the last chunk, up to the empty line.
    Trailer,
    /// Over: a head is due.
    Over,
}

impl Body {
    /// A body of a known length.
    pub(super) fn of_length(length: u64) -> Self {
        if length == 0 {
            return Self::Over;
        }
        Self::Octets {
            left: length,
            chunked: false,
        }
    }

    /// Skips what belongs to the body; answers how many octets that were. `take` is shown the octets without framing.
    pub(super) fn skip(
        &mut self,
        input: &[u8],
        mut take: impl FnMut(&[u8]),
    ) -> Result<usize, Violation> {
        let mut skipped = 0;
        loop {
            let rest = input.get(skipped..).unwrap_or_default();
            let used = match self {
                Self::Over => 0,
                Self::Octets { left, .. } => {
                    let part = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    take(rest.get(..part).unwrap_or_default());
                    // `part` is `left` at most.
                    self.lose(part as u64);
                    part
                }
                Self::ChunkEnd | Self::ChunkSize | Self::Trailer => self.line(rest)?,
            };
            if used == 0 {
                return Ok(skipped);
            }
            skipped += used;
        }
    }

    /// Octets were lost: still inside the body's or the chunk's octets, or the place is lost too (`false`).
    pub(super) fn lose(&mut self, length: u64) -> bool {
        let Self::Octets { left, chunked } = self else {
            return false;
        };
        let Some(still) = left.checked_sub(length) else {
            return false;
        };
        *left = still;
        if still == 0 {
            *self = if *chunked { Self::ChunkEnd } else { Self::Over };
        }
        true
    }

    /// Reads one line of the chunked coding (RFC 9112, section 7.1).
    fn line(&mut self, input: &[u8]) -> Result<usize, Violation> {
        let searched = input.get(..MAX_LINE).unwrap_or(input);
        let Some(end) = searched.iter().position(|&octet| octet == b'\n') else {
            return if input.len() < MAX_LINE {
                Ok(0)
            } else {
                Err(Violation("a line of a chunked body is too long"))
            };
        };
        let line = searched.get(..end).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        *self = match self {
            Self::ChunkEnd if line.is_empty() => Self::ChunkSize,
            Self::ChunkEnd => return Err(Violation("a chunk is longer than it says")),
            Self::ChunkSize => match chunk_size(line)? {
                0 => Self::Trailer,
                left => Self::Octets {
                    left,
                    chunked: true,
                },
            },
            _ if line.is_empty() => Self::Over,
            _ => Self::Trailer,
        };
        Ok(end + 1)
    }
}

/// Hexadecimal digits up to a blank or an extension.
fn chunk_size(line: &[u8]) -> Result<u64, Violation> {
    let digits = line
        .iter()
        .take_while(|octet| octet.is_ascii_hexdigit())
        .count();
    let (digits, rest) = line.split_at_checked(digits).unwrap_or_default();
    if !matches!(rest.first(), None | Some(b';' | b' ' | b'\t')) {
        return Err(Violation("no chunk size"));
    }
    std::str::from_utf8(digits)
        .ok()
        .and_then(|digits| u64::from_str_radix(digits, 16).ok())
        .ok_or(Violation("no chunk size"))
}

/// A chunk's size has 16 digits; extensions are hardly ever sent, trailer fields are short.
const MAX_LINE: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn skip_all(mut body: Body, input: &[u8], size: usize) -> (Result<usize, Violation>, Body) {
        let (mut kept, mut skipped) = (Vec::new(), 0);
        for piece in input.chunks(size) {
            kept.extend_from_slice(piece);
            match body.skip(&kept, |_| ()) {
                Ok(used) => {
                    kept.drain(..used);
                    skipped += used;
                }
                Err(violation) => return (Err(violation), body),
            }
        }
        (Ok(skipped), body)
    }

    #[test]
    fn skips_exactly_the_body_however_cut() {
        let chunked =
            b"5;a=b\r\nhello\r\n1F \n0123456789abcdef0123456789abcde\r\n0\r\nX: y\r\n\r\nGET";
        for size in [1, 2, 3, 7, 100] {
            let (skipped, body) = skip_all(Body::ChunkSize, chunked, size);
            assert_eq!((skipped, body), (Ok(chunked.len() - 3), Body::Over));
            let (skipped, body) = skip_all(Body::of_length(4), b"bodyGET", size);
            assert_eq!((skipped, body), (Ok(4), Body::Over));
        }
    }

    #[test]
    fn refuses_chunks_that_are_none() {
        for bad in [
            &b"\r\n"[..],
            b"xyz\r\n",
            b"-1\r\n",
            b"fffffffffffffffff\r\n",
            b"1\r\nab\r\n",
            &[b'0'; MAX_LINE + 1],
        ] {
            assert!(skip_all(Body::ChunkSize, bad, 3).0.is_err(), "{bad:?}");
        }
    }

    #[test]
    fn survives_a_gap_only_inside_octets_of_known_number() {
        let mut body = Body::of_length(10);
        assert!(body.lose(9));
        assert!(body.lose(1));
        assert_eq!(body, Body::Over);
        assert!(!body.lose(1));
        assert!(!Body::ChunkSize.lose(1));
        assert!(!Body::of_length(10).lose(11));
    }
}
