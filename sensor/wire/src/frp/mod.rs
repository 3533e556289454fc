//! frp: how an agent begins a connection to its server.
//!
//! *In*: what one side of a TCP flow, or of a stream inside yamux, sent first. *Out*: [`Opening`]. *By*: the program's
//! source (fatedier/frp: pkg/msg, pkg/util/net/tls.go, pkg/proto/wire). Three openings are known:
//!
//! | octets | what |
//! |---|---|
//! | `17`, then a ClientHello | agents before 0.50, and later ones that are told to: TLS begins with the second octet |
//! | `FRP 00 02 0d 0a` | the second version of the protocol |
//! | a letter, a length of eight octets in network order, JSON | the first version, in clear: the log-in, a work connection, a visitor |
//!
//! *Left out*: agents with plain TLS (the default from 0.50 on), and what follows. Of the log-in only version, system and
//! architecture are kept, never names or keys. *Fails* never: a refusal is no frp.

use crate::{Reader, Step};

/// How a connection begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opening {
    /// One octet, then TLS.
    BeforeTls,
    /// The second version of the protocol.
    Second,
    /// A log-in of the first version.
    Login(Login),
    /// A connection for one visitor of the tunnel, or of a visitor: the first version.
    Other,
}

/// What an agent says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Login {
    /// Such as `0.49.0`. [`MAX_TEXT`] characters at most, as the others.
    pub version: Option<String>,
    /// Such as `linux`.
    pub system: Option<String>,
    /// Such as `amd64`.
    pub architecture: Option<String>,
}

/// Decodes the first octets of a side. `Done` takes the whole of what was recognised; of [`Opening::BeforeTls`] one octet.
#[must_use]
pub fn opening(input: &[u8]) -> Step<Opening> {
    match input.first() {
        None => Step::NeedMore(1),
        Some(0x17) => before_tls(input),
        Some(b'F') => second(input),
        Some(b'o' | b'w' | b'v') => first(input),
        Some(_) => Step::NotThisProtocol(NO_OPENING),
    }
}

/// `17`, then the head of a TLS record with a handshake and the type of a ClientHello.
fn before_tls(input: &[u8]) -> Step<Opening> {
    let fits = |(place, octet): (usize, &u8)| match place {
        0 => *octet == 0x17,
        1 => *octet == 0x16,
        2 => *octet == 0x03,
        3 => *octet <= 0x04,
        6 => *octet == 0x01,
        _ => true,
    };
    if !input.iter().take(7).enumerate().all(fits) {
        Step::NotThisProtocol(NO_OPENING)
    } else if input.len() < 7 {
        Step::NeedMore(7 - input.len())
    } else {
        Step::Done(Opening::BeforeTls, 1)
    }
}

fn second(input: &[u8]) -> Step<Opening> {
    if input.iter().zip(SECOND).any(|(a, b)| a != b) {
        Step::NotThisProtocol(NO_OPENING)
    } else if input.len() < SECOND.len() {
        Step::NeedMore(SECOND.len() - input.len())
    } else {
        Step::Done(Opening::Second, SECOND.len())
    }
}

fn first(input: &[u8]) -> Step<Opening> {
    let mut reader = Reader::new(input);
    let letter = reader.u8();
    if reader.rest().iter().take(6).any(|&octet| octet != 0) {
        return Step::NotThisProtocol(NO_OPENING);
    }
    let (Some(_), Some(length)) = (reader.take(6), reader.u16_be()) else {
        return Step::NeedMore(9_usize.saturating_sub(input.len()).max(1));
    };
    let length = usize::from(length);
    if !(2..=MAX_MESSAGE).contains(&length)
        || !reader.rest().iter().zip(b"{\"").all(|(a, b)| a == b)
    {
        return Step::NotThisProtocol(NO_OPENING);
    }
    let missing = length.saturating_sub(reader.left());
    let Some(json) = reader.take(length) else {
        return Step::NeedMore(missing);
    };
    let has = |key: &str| value_of(json, key).is_some();
    let found = match letter {
        Some(b'o') if has("version") && (has("os") || has("arch")) => Opening::Login(Login {
            version: value_of(json, "version"),
            system: value_of(json, "os"),
            architecture: value_of(json, "arch"),
        }),
        Some(b'w') if has("run_id") => Opening::Other,
        Some(b'v') if has("proxy_name") => Opening::Other,
        _ => return Step::NotThisProtocol(NO_OPENING),
    };
    if json.last() != Some(&b'}') {
        return Step::NotThisProtocol(NO_OPENING);
    }
    Step::Done(found, input.len() - reader.left())
}

/// The text of a key, where it is plain: letters, digits, dots and the like, which is all that these keys hold.
fn value_of(json: &[u8], key: &str) -> Option<String> {
    let quoted = format!("\"{key}\":\"");
    let start = json
        .windows(quoted.len())
        .position(|window| window == quoted.as_bytes())?;
    let rest = json.get(start + quoted.len()..)?;
    let end = rest.iter().position(|&octet| octet == b'"')?;
    let text = rest.get(..end).filter(|text| text.len() <= MAX_TEXT)?;
    text.iter()
        .all(u8::is_ascii_graphic)
        .then(|| String::from_utf8_lossy(text).into_owned())
}

const SECOND: &[u8] = b"FRP\x00\x02\r\n";
/// What the program accepts (golib/msg/json: 10240).
const MAX_MESSAGE: usize = 10 << 10;
/// A version with a suffix, the names of systems.
pub const MAX_TEXT: usize = 64;
const NO_OPENING: &str = "no opening of frp";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_same_however_cut;

    fn message(letter: u8, json: &str) -> Vec<u8> {
        let mut octets = vec![letter];
        octets.extend((json.len() as u64).to_be_bytes());
        octets.extend(json.as_bytes());
        octets
    }

    #[test]
    fn one_octet_stands_before_tls() {
        let octets = [
            0x17, // frp
            0x16, 0x03, 0x01, 0x01, 0x06, // record: handshake
            0x01, 0x00, 0x01, 0x02, // ClientHello
        ];
        assert_eq!(opening(&octets), Step::Done(Opening::BeforeTls, 1));
        assert_same_however_cut(opening, &octets);
        // Application data of TLS, in a capture that begins late.
        let tls = [0x17, 0x03, 0x03, 0x00, 0x20];
        assert!(matches!(opening(&tls[..2]), Step::NotThisProtocol(_)));
    }

    #[test]
    fn the_second_version_has_a_magic() {
        assert_eq!(opening(SECOND), Step::Done(Opening::Second, 7));
        assert_same_however_cut(opening, b"FRP\x00\x02\r\nmore");
        assert!(matches!(opening(b"FROM a"), Step::NotThisProtocol(_)));
    }

    #[test]
    fn reads_a_log_in() {
        let json = r#"{"version":"0.44.0","hostname":"","os":"linux","arch":"amd64","user":"","privilege_key":"00","timestamp":1}"#;
        let octets = message(b'o', json);
        let Step::Done(Opening::Login(login), used) = opening(&octets) else {
            panic!("no log-in");
        };
        assert_eq!(used, octets.len());
        assert_eq!(login.version.as_deref(), Some("0.44.0"));
        assert_eq!(login.system.as_deref(), Some("linux"));
        assert_eq!(login.architecture.as_deref(), Some("amd64"));
        assert_same_however_cut(opening, &octets);
        let work = message(b'w', r#"{"run_id":"0123456789abcdef","timestamp":1}"#);
        assert!(matches!(opening(&work), Step::Done(Opening::Other, _)));
        assert_same_however_cut(opening, &work);
    }

    #[test]
    fn other_messages_are_refused() {
        for octets in [
            message(b'o', r#"{"version":"1"}"#),
            message(b'w', r#"{"run":"1"}"#),
            b"w\0\0\0\0\0\0\xff\xff{\"".to_vec(),
            b"open sesame".to_vec(),
            b"o\0\0\0\0\0\0\0\x05hello".to_vec(),
        ] {
            assert_same_however_cut(opening, &octets);
            assert!(
                matches!(opening(&octets), Step::NotThisProtocol(_)),
                "{octets:?}"
            );
        }
    }
}
