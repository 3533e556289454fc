//! HTTP in datagrams: SSDP, by which devices of UPnP find each other (UPnP Device Architecture 2.0, section 1).

use super::message::{self, MAX_HEAD, Request};
use crate::Step;

/// A message of SSDP: a head, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Datagram {
    /// `M-SEARCH` or `NOTIFY`, of everything (`*`).
    Request(Box<Request>),
    /// The answer to a search. It goes to who asked, from the device's own address: in a flow of its own.
    Found,
}

/// Decodes a whole datagram. `None` when it is no SSDP.
#[must_use]
pub fn datagram(octets: &[u8]) -> Option<Datagram> {
    if octets.starts_with(FOUND) {
        return Some(Datagram::Found);
    }
    if !REQUESTS.iter().any(|line| octets.starts_with(line)) {
        return None;
    }
    let request = match message::request(octets) {
        Step::Done(request, _) => request,
        // Some devices leave the empty line out: the datagram ends the head.
        Step::NeedMore(_) if octets.len() < MAX_HEAD => {
            match message::request(&[octets, b"\r\n\r\n"].concat()) {
                Step::Done(request, _) => request,
                _ => return None,
            }
        }
        _ => return None,
    };
    Some(Datagram::Request(Box::new(request)))
}

const REQUESTS: [&[u8]; 2] = [b"M-SEARCH * HTTP/1.1\r\n", b"NOTIFY * HTTP/1.1\r\n"];
const FOUND: &[u8] = b"HTTP/1.1 200 OK\r\n";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_search_needs_no_empty_line() {
        let search = b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: ssdp:all\r\n";
        for end in [&b"\r\n"[..], b""] {
            let Some(Datagram::Request(request)) = datagram(&[&search[..], end].concat()) else {
                panic!()
            };
            assert_eq!(request.method, "M-SEARCH");
            assert_eq!(request.host.as_deref(), Some("239.255.255.250:1900"));
        }
    }

    #[test]
    fn answers_and_announcements_are_known_and_nothing_else() {
        assert_eq!(
            datagram(b"HTTP/1.1 200 OK\r\nST: upnp:rootdevice\r\n\r\n"),
            Some(Datagram::Found)
        );
        let notify = b"NOTIFY * HTTP/1.1\r\nHost:[FF02::C]:1900\r\nNTS:ssdp:alive\r\n\r\n";
        assert!(matches!(datagram(notify), Some(Datagram::Request(_))));
        for no in [
            &b""[..],
            b"GET / HTTP/1.1\r\n\r\n",
            b"NOTIFY sip:a@b SIP/2.0\r\n\r\n",
            b"HTTP/1.1 404 Not Found\r\n\r\n",
        ] {
            assert_eq!(datagram(no), None, "{no:?}");
        }
    }

    proptest! {
        #[test]
        fn any_octets_behind_the_line_are_taken(data in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = datagram(&[REQUESTS[0], &data[..]].concat());
        }
    }
}
