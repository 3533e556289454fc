//! NoMachine's NX over TCP: the line that each side opens with, before TLS.
//!
//! *In*: what each side of a TCP flow sent first. *Out*: [`Banner`], once of each side; what follows on both sides is TLS
//! from its first octet. *By*: observation of NoMachine 8: the client says `NXSH-8.10.1`, the server `NXD-8.10.1`, each
//! with a line feed. *Left out*: all behind the lines; the datagrams for sound and picture, which `signatures/remote`
//! tells by their octets. *Fails* when a side opens with something else.

use crate::{Side, Step, Violation};

/// Who sends a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// `NXSH`.
    Client,
    /// `NXD`.
    Server,
}

/// A side's line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Banner {
    /// Who says so.
    pub role: Role,
    /// Such as `8.10.1`; [`MAX_VERSION`] octets at most.
    pub version: String,
}

/// Decodes a side's line.
#[must_use]
pub fn banner(input: &[u8]) -> Step<Banner> {
    for (mark, role) in [(CLIENT, Role::Client), (SERVER, Role::Server)] {
        let shared = input.iter().zip(mark).take_while(|(a, b)| a == b).count();
        if shared == mark.len() {
            return version(input, mark.len(), role);
        }
        if shared == input.len() {
            return Step::NeedMore(mark.len() - shared);
        }
    }
    Step::NotThisProtocol("no line of NoMachine")
}

fn version(input: &[u8], start: usize, role: Role) -> Step<Banner> {
    let rest = input.get(start..).unwrap_or_default();
    let digits = rest
        .iter()
        .take_while(|octet| octet.is_ascii_digit() || **octet == b'.')
        .count();
    let text = rest.get(..digits).unwrap_or_default();
    let bad = Step::NotThisProtocol("no version of NoMachine");
    if digits > MAX_VERSION || rest.first().is_some_and(|octet| !octet.is_ascii_digit()) {
        return bad;
    }
    match rest.get(digits) {
        None => Step::NeedMore(1),
        Some(b'\n') if digits > 0 => Step::Done(
            Banner {
                role,
                version: String::from_utf8_lossy(text).into_owned(),
            },
            start + digits + 1,
        ),
        Some(_) => bad,
    }
}

/// Follows one TCP flow until both lines were said.
#[derive(Debug, Default)]
pub struct Session {
    said: [bool; 2],
}

impl Session {
    /// Both sides have said their line: TLS follows.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.said == [true, true]
    }

    /// Reads a side's line; answers how many octets it took. What a side sends after its own line waits for the other's.
    ///
    /// # Errors
    /// When a side opens with something else.
    pub fn feed(
        &mut self,
        from: Side,
        input: &[u8],
        mut emit: impl FnMut(Side, Banner),
    ) -> Result<usize, Violation> {
        let Some(said) = self.said.get_mut(from.index()) else {
            return Ok(0);
        };
        if *said {
            return Ok(0);
        }
        match banner(input) {
            Step::Done(banner, used) => {
                *said = true;
                emit(from, banner);
                Ok(used)
            }
            Step::NeedMore(_) => Ok(0),
            Step::NotThisProtocol(why) => Err(Violation(why)),
        }
    }
}

const CLIENT: &[u8] = b"NXSH-";
const SERVER: &[u8] = b"NXD-";
/// Three numbers have eight characters at most; room for a fourth.
pub const MAX_VERSION: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_same_however_cut, in_pieces};
    use Side::{Originator as O, Responder as R};

    #[test]
    fn reads_both_lines() {
        for (line, role) in [
            (&b"NXSH-8.10.1\n"[..], Role::Client),
            (b"NXD-8.10.1\n", Role::Server),
        ] {
            let version = "8.10.1".to_owned();
            assert_eq!(
                banner(line),
                Step::Done(Banner { role, version }, line.len())
            );
            assert_same_however_cut(banner, line);
        }
        for line in [
            &b"NXSH-\n"[..],
            b"NXD-a\n",
            b"NXD-8.10.1\r\n",
            b"NXPROXY-3.5",
            b"NXD-1.1.1.1.1.1.1.1.1.1",
        ] {
            assert_same_however_cut(banner, line);
            assert!(matches!(banner(line), Step::NotThisProtocol(_)), "{line:?}");
        }
    }

    #[test]
    fn ends_where_tls_begins_on_both_sides() {
        for size in [1, 5, 100] {
            let (mut session, mut heard, mut left) = (Session::default(), Vec::new(), 0);
            in_pieces(
                &[(O, b"NXSH-8.10.1\n\x16\x03\x01"), (R, b"NXD-8.10.1\n")],
                size,
                |from, input| {
                    let used =
                        session.feed(from, input, |side, banner| heard.push((side, banner.role)));
                    left = input.len();
                    used.ok().filter(|_| !session.is_over())
                },
            );
            assert_eq!(heard, [(O, Role::Client), (R, Role::Server)]);
            assert!(session.is_over());
        }
    }

    #[test]
    fn a_side_that_says_something_else_ends_it() {
        let mut session = Session::default();
        assert_eq!(session.feed(O, b"NXSH-8.1\n", |_, _| {}), Ok(9));
        assert!(session.feed(R, b"220 mail", |_, _| {}).is_err());
    }
}
