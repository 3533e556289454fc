//! Whether a log-in by CredSSP passed, by the sizes of the TLS records that carry it (MS-CSSP 3.1.5).
//!
//! Goes in: the TLS octets of both sides. Comes out: one [`Login`], or none where the sizes do not tell. Inside TLS the
//! client sends its NTLM or Kerberos token, and last the one that authenticates it, the first of its records that is large.
//! A server that accepts it answers with its proof of the public key, and the client with the credentials. A server that
//! refuses it answers with a short error, an alert or nothing. Which of the last two a server does depends on its age.
//!
//! | record | payload, octets | seen |
//! |---|---|---|
//! | client's NTLM negotiate | 81 to 110 | FreeRDP 2, Windows 7 and later |
//! | client's NTLM authenticate | 484 to 928 | the same, hydra |
//! | server's proof | 83 to 336 | Windows, FreeRDP's shadow server |
//! | client's credentials | 100 to 160 | |
//! | server's refusal | 19 (alert in TLS 1.3), alert, about 40 (error code) | |
//!
//! It cannot tell a Kerberos token that was refused in favour of NTLM from one that was accepted, nor a log-in that the
//! session host refuses later. Nothing of a payload is looked at or kept.

/// How a log-in ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Login {
    /// The server proved its key, and the client sent its credentials.
    Accepted,
    /// The server answered the client's authentication with an error.
    Refused,
}

/// Watches the records of one connection.
#[derive(Debug, Default)]
pub struct LoginWatch {
    client: Records,
    server: Records,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    /// The client's authentication is due.
    #[default]
    Token,
    /// The server's answer to it is due.
    Answer,
    /// The client's credentials are due.
    Credentials,
    Over,
}

impl LoginWatch {
    /// Takes TLS octets of one side, in order, from its first record on. Answers once at most.
    pub fn feed(&mut self, is_client: bool, octets: &[u8]) -> Option<Login> {
        let state = &mut self.state;
        let mut found = None;
        let records = if is_client {
            &mut self.client
        } else {
            &mut self.server
        };
        let in_step = records.feed(octets, |content, length| {
            let (next, login) = state.after(is_client, content, length);
            *state = next;
            found = found.or(login);
        });
        if !in_step {
            self.state = State::Over;
        }
        found
    }

    /// Whether it has answered, or never will.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.state == State::Over
    }
}

impl State {
    fn after(self, is_client: bool, content: u8, length: u16) -> (Self, Option<Login>) {
        match (self, is_client, content) {
            (Self::Token, true, APPLICATION) if length >= AUTHENTICATION => (Self::Answer, None),
            (Self::Answer, false, APPLICATION) if length >= PROOF => (Self::Credentials, None),
            (Self::Answer, false, APPLICATION | ALERT) => (Self::Over, Some(Login::Refused)),
            (Self::Credentials, true, APPLICATION) if length >= CREDENTIALS => {
                (Self::Over, Some(Login::Accepted))
            }
            // The client leaves: it does not trust the key, or was a scanner.
            (Self::Credentials, true, _) | (_, _, ALERT) => (Self::Over, None),
            _ => (self, None),
        }
    }
}

/// Finds the records in the octets of one side.
#[derive(Debug, Default)]
struct Records {
    header: [u8; 5],
    /// How many octets of the header are here.
    have: usize,
    /// How many octets of the payload are still to come.
    payload: usize,
}

impl Records {
    /// Content type and length of each record, as soon as its header is here. `false` when these are no records.
    fn feed(&mut self, mut octets: &[u8], mut record: impl FnMut(u8, u16)) -> bool {
        loop {
            let passed = self.payload.min(octets.len());
            self.payload -= passed;
            let Some((&octet, rest)) = octets.get(passed..).and_then(<[u8]>::split_first) else {
                return true;
            };
            octets = rest;
            if let Some(slot) = self.header.get_mut(self.have) {
                *slot = octet;
            }
            self.have += 1;
            if self.have < self.header.len() {
                continue;
            }
            self.have = 0;
            let [content, major, _, upper, lower] = self.header;
            if !(0x14..=0x17).contains(&content) || major != 3 {
                return false;
            }
            let length = u16::from_be_bytes([upper, lower]);
            self.payload = usize::from(length);
            record(content, length);
        }
    }
}

/// TLS content types.
const ALERT: u8 = 0x15;
const APPLICATION: u8 = 0x17;

/// The least payload, in octets, of a record with the client's authentication. A negotiate token has a third of it.
const AUTHENTICATION: u16 = 300;
/// The least payload of a record with the server's proof: 48 octets of hash and signature in ASN.1 and TLS 1.3 take 76.
const PROOF: u16 = 72;
/// The least payload of a record with the client's credentials; an alert in TLS 1.3 has 19, with CBC up to 64.
const CREDENTIALS: u16 = 72;

#[cfg(test)]
mod tests {
    use super::*;

    /// Each record: whether the client sent it, its content type, its payload's length.
    fn check(records: &[(bool, u8, u16)], expected: Option<Login>) {
        for size in [1, 3, 7, 4096] {
            let mut watch = LoginWatch::default();
            let mut found = None;
            for &(is_client, content, length) in records {
                let mut record = vec![content, 3, 3];
                record.extend(length.to_be_bytes());
                record.resize(5 + usize::from(length), 0x5a);
                for piece in record.chunks(size) {
                    let login = watch.feed(is_client, piece);
                    assert!(login.is_none() || found.is_none(), "answers twice");
                    found = found.or(login);
                }
            }
            assert_eq!(found, expected, "in pieces of {size}");
        }
    }

    const CLIENT: bool = true;
    const SERVER: bool = false;

    #[test]
    fn sees_a_right_password_in_tls_1_3() {
        // FreeRDP 2 at FreeRDP's shadow server.
        check(
            &[
                (CLIENT, 0x16, 311),
                (SERVER, 0x16, 122),
                (SERVER, 0x14, 1),
                (SERVER, 0x17, 1110),
                (CLIENT, 0x14, 1),
                (CLIENT, 0x17, 69),  // Finished
                (SERVER, 0x17, 250), // session tickets
                (SERVER, 0x17, 250),
                (CLIENT, 0x17, 110), // negotiate
                (SERVER, 0x17, 224), // challenge
                (CLIENT, 0x17, 484), // authenticate
                (SERVER, 0x17, 112), // proof
                (CLIENT, 0x17, 131), // credentials
                (CLIENT, 0x17, 472),
            ],
            Some(Login::Accepted),
        );
    }

    #[test]
    fn sees_a_wrong_password_in_tls_1_3() {
        check(
            &[
                (CLIENT, 0x16, 311),
                (SERVER, 0x16, 122),
                (CLIENT, 0x17, 69),
                (CLIENT, 0x17, 110),
                (SERVER, 0x17, 224),
                (CLIENT, 0x17, 508), // authenticate, from hydra
                (SERVER, 0x17, 19),  // alert
                (CLIENT, 0x17, 19),
            ],
            Some(Login::Refused),
        );
    }

    #[test]
    fn sees_both_in_tls_1_2() {
        let until_authentication = [
            (CLIENT, 0x16, 156),
            (SERVER, 0x16, 1192),
            (CLIENT, 0x16, 147),
            (SERVER, 0x16, 40),
            (CLIENT, 0x17, 81),
            (SERVER, 0x17, 286),
            (CLIENT, 0x17, 567),
        ];
        let with = |rest: &[(bool, u8, u16)]| [&until_authentication[..], rest].concat();
        check(
            &with(&[(SERVER, 0x17, 83), (CLIENT, 0x17, 100)]),
            Some(Login::Accepted),
        );
        check(&with(&[(SERVER, 0x15, 26)]), Some(Login::Refused));
        // TSRequest with an error code.
        check(&with(&[(SERVER, 0x17, 39)]), Some(Login::Refused));
        check(&with(&[]), None);
    }

    #[test]
    fn says_nothing_of_a_client_that_leaves() {
        check(
            &[
                (CLIENT, 0x17, 928),
                (SERVER, 0x17, 336),
                (CLIENT, 0x15, 32),
                (CLIENT, 0x17, 400),
            ],
            None,
        );
        check(&[(CLIENT, 0x16, 200), (SERVER, 0x15, 2)], None);
    }

    #[test]
    fn gives_up_on_what_is_no_record() {
        let mut watch = LoginWatch::default();
        assert_eq!(watch.feed(CLIENT, b"\x16\x03\x01\x00\x01xGET / HTTP"), None);
        assert!(watch.is_over());
    }
}
