//! rathole in clear: the handshake of its control and data channels.
//!
//! *In*: the octets of both sides of a TCP flow. *Out*: [`Session::told`] once there is no doubt. *By*: the program's
//! source (rathole-org/rathole: src/protocol.rs), which writes with bincode: numbers of four octets, the least significant
//! first.
//!
//! | from | octets | what |
//! |---|---|---|
//! | client | 37 | hello: kind (0 control, 1 data), version 1, digest of the service's name or a token |
//! | server | 37 | control only: hello with kind 0, version 1, a nonce |
//! | client | 32 | control only: digest |
//! | server | 4 | control: granted 0, no such service 1, wrong token 2; data: what to forward, 0 to 2 |
//!
//! One side's octets are mostly zeros and chance, so only both sides together tell. *Left out*: rathole over TLS, noise or
//! WebSocket. *Never kept*: digests and nonces. *Fails* when either side says something else.

use crate::{Reader, Side, Step, Violation};

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// The agent waits on it for visitors.
    Control,
    /// One visitor.
    Data,
}

/// Decodes a hello.
#[must_use]
pub fn hello(input: &[u8]) -> Step<Channel> {
    let bad = Step::NotThisProtocol("no hello of rathole");
    let channel = match input.first() {
        None => return Step::NeedMore(HELLO),
        Some(0) => Channel::Control,
        Some(1) => Channel::Data,
        Some(_) => return bad,
    };
    let rest = input.get(1..5.min(input.len())).unwrap_or_default();
    if rest.iter().zip(&[0, 0, 0, 1]).any(|(a, b)| a != b) {
        return bad;
    }
    let Some(digest) = input.get(5..HELLO) else {
        return Step::NeedMore(HELLO - input.len());
    };
    if is_random(digest) {
        Step::Done(channel, HELLO)
    } else {
        bad
    }
}

/// Of 32 octets by chance, fewer than 20 different ones are met once in a million million.
fn is_random(digest: &[u8]) -> bool {
    let mut seen = [0_u64; 4];
    for &octet in digest {
        if let Some(word) = seen.get_mut(usize::from(octet >> 6)) {
            *word |= 1 << (octet & 63);
        }
    }
    seen.iter().map(|word| word.count_ones()).sum::<u32>() >= 20
}

/// Follows one TCP flow until it is told.
#[derive(Debug, Default)]
pub struct Session {
    client: Option<(Side, Channel)>,
    greeted: bool,
    authenticated: bool,
    told: bool,
    carries: bool,
}

impl Session {
    /// The client and its channel, once the server's last word of the handshake was said.
    #[must_use]
    pub fn told(&self) -> Option<(Side, Channel)> {
        self.client.filter(|_| self.told)
    }

    /// Whether what follows on both sides is the visitor's own protocol from its first octet: a data channel that is to
    /// forward TCP.
    #[must_use]
    pub fn carries(&self) -> bool {
        self.carries
    }

    /// Reads the whole messages at the start of `input`; answers how many octets it took.
    ///
    /// # Errors
    /// When a side says what neither role says.
    pub fn feed(&mut self, from: Side, input: &[u8]) -> Result<usize, Violation> {
        let mut used = 0;
        while !self.told {
            let rest = input.get(used..).unwrap_or_default();
            if rest.is_empty() {
                break;
            }
            match self.message(from, rest)? {
                0 => break,
                length => used += length,
            }
        }
        Ok(used)
    }

    fn message(&mut self, from: Side, input: &[u8]) -> Result<usize, Violation> {
        let Some((client, channel)) = self.client else {
            return Ok(match whole(hello(input))? {
                Some((channel, used)) => {
                    self.client = Some((from, channel));
                    used
                }
                None => 0,
            });
        };
        if client == from {
            // A data channel's client is silent until it is told what to forward.
            if channel == Channel::Data || self.authenticated {
                return Err(Violation("a client that does not wait"));
            }
            return match input.get(..DIGEST) {
                Some(digest) if self.greeted && is_random(digest) => {
                    self.authenticated = true;
                    Ok(DIGEST)
                }
                Some(_) if self.greeted => Err(Violation("no digest of rathole")),
                _ => Ok(0),
            };
        }
        if channel == Channel::Control && !self.greeted {
            return match whole(hello(input))? {
                Some((Channel::Control, used)) => {
                    self.greeted = true;
                    Ok(used)
                }
                Some(_) => Err(Violation("a server that wants a data channel")),
                None => Ok(0),
            };
        }
        if channel == Channel::Control && !self.authenticated {
            return Ok(0);
        }
        match Reader::new(input).u32_le() {
            Some(command @ 0..=2) => {
                self.told = true;
                self.carries = channel == Channel::Data && command == 0;
                Ok(4)
            }
            Some(_) => Err(Violation("no answer of rathole")),
            None => Ok(0),
        }
    }
}

fn whole(step: Step<Channel>) -> Result<Option<(Channel, usize)>, Violation> {
    match step {
        Step::Done(channel, used) => Ok(Some((channel, used))),
        Step::NeedMore(_) => Ok(None),
        Step::NotThisProtocol(why) => Err(Violation(why)),
    }
}

const HELLO: usize = 37;
const DIGEST: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_same_however_cut, in_pieces};
    use Side::{Originator as O, Responder as R};

    fn digest(start: u8) -> Vec<u8> {
        (0..32_u8)
            .map(|n| n.wrapping_mul(97).wrapping_add(start))
            .collect()
    }

    fn hello_of(kind: u8, start: u8) -> Vec<u8> {
        let mut octets = vec![kind, 0, 0, 0]; // kind
        octets.push(1); // version
        octets.extend(digest(start));
        octets
    }

    fn run(conversation: &[(Side, &[u8])], size: usize) -> (Session, bool) {
        let (mut session, mut violated) = (Session::default(), false);
        in_pieces(conversation, size, |from, input| {
            let used = session.feed(from, input);
            violated |= used.is_err();
            used.ok().filter(|_| session.told().is_none())
        });
        (session, violated)
    }

    #[test]
    fn a_control_channel_is_told_at_its_answer() {
        let conversation: &[(Side, &[u8])] = &[
            (O, &hello_of(0, 3)),
            (R, &hello_of(0, 9)),
            (O, &digest(7)),
            (R, &[0, 0, 0, 0, 1, 0, 0, 0]),
        ];
        for size in [1, 5, 37, 500] {
            let (session, violated) = run(conversation, size);
            assert_eq!(session.told(), Some((O, Channel::Control)));
            assert!(!violated);
        }
        assert_eq!(run(&conversation[..3], 500).0.told(), None);
    }

    #[test]
    fn a_data_channel_is_told_at_its_command() {
        let conversation: &[(Side, &[u8])] = &[(O, &hello_of(1, 3)), (R, &[0, 0, 0, 0])];
        for size in [1, 37] {
            let (session, _) = run(conversation, size);
            assert_eq!(session.told(), Some((O, Channel::Data)));
            assert!(session.carries());
        }
        let datagrams: &[(Side, &[u8])] = &[(O, &hello_of(1, 3)), (R, &[1, 0, 0, 0])];
        assert!(!run(datagrams, 500).0.carries());
    }

    #[test]
    fn zeros_and_text_are_no_digest() {
        let mut octets = hello_of(0, 0);
        octets[5..].fill(0);
        assert!(matches!(hello(&octets), Step::NotThisProtocol(_)));
        assert_same_however_cut(hello, &octets);
        assert_same_however_cut(hello, &hello_of(1, 1));
        for input in [&b"\0\0\0\x2f"[..], b"\x01\0\0\0\0", b"GET "] {
            assert!(matches!(hello(input), Step::NotThisProtocol(_)));
        }
    }

    #[test]
    fn a_server_that_says_something_else_ends_it() {
        let conversation: &[(Side, &[u8])] = &[(O, &hello_of(0, 3)), (R, &hello_of(1, 9))];
        assert!(run(conversation, 500).1);
        let conversation: &[(Side, &[u8])] = &[(O, &hello_of(1, 3)), (R, b"HTTP")];
        assert!(run(conversation, 500).1);
    }
}
