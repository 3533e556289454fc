//! What a flow begins with: strict, for SOCKS has few octets of its own.

use super::message::{
    Method, Version, greeting, method_selection, password, password_status, reply_5, request_4,
    request_5,
};
use crate::Step;

/// Who sent the octets that a flow begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// A client.
    Client(Version),
    /// A server of version 5.
    Server,
}

/// Which side of SOCKS these octets are of, and of which version: told when the message behind the greeting is whole too.
/// `Done` answers how many octets told it.
#[must_use]
pub fn opening(input: &[u8]) -> Step<Opening> {
    match input.first() {
        None => Step::NeedMore(1),
        Some(4) => request_4(input).map(|_| Opening::Client(Version::Four)),
        Some(5) => match (client_opening(input), server_opening(input)) {
            (Step::NotThisProtocol(why), Step::NotThisProtocol(_)) => Step::NotThisProtocol(why),
            (Step::Done((), used), _) => Step::Done(Opening::Client(Version::Five), used),
            (_, Step::Done((), used)) => Step::Done(Opening::Server, used),
            (Step::NeedMore(one), Step::NeedMore(other)) => Step::NeedMore(one.min(other)),
            (Step::NeedMore(missing), _) | (_, Step::NeedMore(missing)) => Step::NeedMore(missing),
        },
        Some(_) => Step::NotThisProtocol("no SOCKS version"),
    }
}

/// A greeting and a request, or a greeting and a sub-negotiation that it offers.
fn client_opening(input: &[u8]) -> Step<()> {
    let (offers_gssapi, offers_password, used) = match greeting(input) {
        Step::Done(methods, used) => (
            methods.contains(&Method::GSSAPI.0),
            methods.contains(&Method::PASSWORD.0),
            used,
        ),
        Step::NeedMore(missing) => return Step::NeedMore(missing),
        Step::NotThisProtocol(why) => return Step::NotThisProtocol(why),
    };
    let rest = input.get(used..).unwrap_or_default();
    behind(
        used,
        match rest.first() {
            None => Step::NeedMore(1),
            Some(5) => request_5(rest).map(|_| ()),
            Some(1) if offers_password && offers_gssapi => either(password(rest), gssapi(rest)),
            Some(1) if offers_password => password(rest),
            Some(1) if offers_gssapi => gssapi(rest),
            Some(_) => Step::NotThisProtocol("no SOCKS request"),
        },
    )
}

/// A choice of method and a reply, with the outcome of the password between them.
fn server_opening(input: &[u8]) -> Step<()> {
    let method = match method_selection(input) {
        Step::Done(method, _) => method,
        Step::NeedMore(missing) => return Step::NeedMore(missing),
        Step::NotThisProtocol(why) => return Step::NotThisProtocol(why),
    };
    let used = match method {
        Method::NONE => 2,
        Method::PASSWORD => match password_status(input.get(2..).unwrap_or_default()) {
            Step::Done(true, _) => 4,
            Step::Done(false, _) => {
                return Step::NotThisProtocol("a password refused: too few octets");
            }
            Step::NeedMore(missing) => return Step::NeedMore(missing),
            Step::NotThisProtocol(why) => return Step::NotThisProtocol(why),
        },
        _ => return Step::NotThisProtocol("no SOCKS method"),
    };
    let rest = input.get(used..).unwrap_or_default();
    behind(used, reply_5(rest).map(|_| ()))
}

/// Two readings of the same octets.
fn either(one: Step<()>, other: Step<()>) -> Step<()> {
    match (one, other) {
        (done @ Step::Done(..), _) | (_, done @ Step::Done(..)) => done,
        (more @ Step::NeedMore(_), _) | (_, more @ Step::NeedMore(_)) => more,
        (refused, _) => refused,
    }
}

fn behind(before: usize, step: Step<()>) -> Step<()> {
    match step {
        Step::Done((), used) => Step::Done((), before + used),
        other => other,
    }
}

/// The first token of RFC 1961, section 3.3: version, type, length, and ASN.1's `[APPLICATION 0]`.
fn gssapi(input: &[u8]) -> Step<()> {
    let wanted = [Some(1), Some(1), None, None, Some(0x60)];
    let fits = |(&octet, want): (&u8, Option<u8>)| want.is_none_or(|want| want == octet);
    if !input.iter().zip(wanted).all(fits) {
        return Step::NotThisProtocol("no token of GSSAPI");
    }
    if input.len() < wanted.len() {
        return Step::NeedMore(wanted.len() - input.len());
    }
    Step::Done((), wanted.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::assert_same_however_cut;

    #[test]
    fn an_opening_needs_the_message_behind_the_greeting() {
        assert!(matches!(opening(b"\x05\x01\x00"), Step::NeedMore(_)));
        assert!(matches!(opening(b"\x05\x00"), Step::NeedMore(_)));
        for (input, want) in [
            (
                &b"\x05\x01\x00\x05\x01\x00\x03\x01a\x00\x50"[..],
                Opening::Client(Version::Five),
            ),
            (
                b"\x05\x02\x00\x02\x01\x03bob\x03pwd",
                Opening::Client(Version::Five),
            ),
            // curl offers all three.
            (
                b"\x05\x03\x00\x01\x02\x01\x03bob\x03pwd",
                Opening::Client(Version::Five),
            ),
            // Offers GSSAPI and no method, and asks.
            (
                b"\x05\x02\x01\x00\x05\x01\x00\x01\xc0\x00\x02\x07\x00\x16",
                Opening::Client(Version::Five),
            ),
            (b"\x05\x00\x05\x00\x00\x01\0\0\0\0\0\0", Opening::Server),
            (
                b"\x05\x02\x01\x00\x05\x00\x00\x01\0\0\0\0\0\0",
                Opening::Server,
            ),
            // A refusal behind a password.
            (
                b"\x05\x02\x01\x00\x05\x01\x00\x01\0\0\0\0\0\0",
                Opening::Server,
            ),
            (
                b"\x04\x01\x00\x50\xc0\x00\x02\x07\0",
                Opening::Client(Version::Four),
            ),
        ] {
            assert_same_however_cut(opening, input);
            assert_eq!(opening(input), Step::Done(want, input.len()), "{input:?}");
        }
        for no in [
            // DCE/RPC bind
            &b"\x05\x00\x0b\x03\x10\x00\x00\x00"[..],
            // TDS tabular result: type 4, status 1, length, SPID 0
            b"\x04\x01\x00\x2b\x00\x00\x01\x00\x00",
            b"\x05\x01\x00GET",
            b"\x05\x01\x00\x05\x01\x00\x02",
            b"\x05\x01\x00\x05\x01\x00\x03\x02a\0\x00\x50",
            b"\x04\x01\x00\x00\xc0\x00\x02\x07\0",
            b"\x04\x01\x00\x50\xe0\x00\x00\x01\0",
            b"\x04\x03",
            b"\x05\x00\x05\x09",
            b"GET / HTTP/1.1",
        ] {
            assert_same_however_cut(opening, no);
            assert!(matches!(opening(no), Step::NotThisProtocol(_)), "{no:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_changes_its_mind(
            version in 4_u8..6,
            input in proptest::collection::vec(prop_oneof![0_u8..8, any::<u8>()], 0..40),
        ) {
            assert_same_however_cut(opening, &[&[version][..], &input].concat());
        }
    }
}
