//! The ClientHello in SSL 2.0 form (RFC 5246, appendix E.2), which clients of the time before 2010 send for any version.

use super::Version;
use crate::{Reader, Step};

/// A ClientHello in SSL 2.0 form. JA3 and JA4 are not defined for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sslv2ClientHello {
    /// Highest version offered; 0.2 for SSL 2.0 alone.
    pub version: Version,
    /// Cipher specifications of three octets each; those below 0x010000 are cipher suites of TLS.
    pub ciphers: Vec<u32>,
}

/// Reads the hello at the start of a connection. The test is strict, as two octets of length are a weak mark: all
/// lengths must agree.
#[must_use]
pub fn sslv2_client_hello(input: &[u8]) -> Step<Sslv2ClientHello> {
    let fits = |place: usize, test: fn(u8) -> bool| input.get(place).is_none_or(|&o| test(o));
    if !fits(0, |o| o & 0xfc == 0x80)
        || !fits(2, |o| o == 1)
        || !fits(3, |o| o == 0 || o == 3)
        || !fits(4, |o| o <= 4)
    {
        return Step::NotThisProtocol("no ClientHello of SSL 2.0");
    }
    let mut reader = Reader::new(input);
    let (Some(length), Some(_kind), Some(version), Some(ciphers), Some(id), Some(challenge)) = (
        reader.u16_be(),
        reader.u8(),
        reader.u16_be(),
        reader.u16_be(),
        reader.u16_be(),
        reader.u16_be(),
    ) else {
        return Step::NeedMore(HEADER.saturating_sub(input.len()).max(1));
    };
    let length = usize::from(length & 0x7fff);
    let (ciphers, id, challenge) = (
        usize::from(ciphers),
        usize::from(id),
        usize::from(challenge),
    );
    let version = Version(version);
    if length != HEADER - 2 + ciphers + id + challenge
        || ciphers == 0
        || ciphers % 3 != 0
        || !matches!(id, 0 | 16)
        || !(16..=32).contains(&challenge)
        || !(version == Version::SSL_2 || version >= Version::SSL_3)
    {
        return Step::NotThisProtocol("no ClientHello of SSL 2.0");
    }
    let total = length + 2;
    let (Some(list), true) = (reader.take(ciphers), input.len() >= total) else {
        return Step::NeedMore(total - input.len());
    };
    let mut list = Reader::new(list);
    let ciphers = std::iter::from_fn(|| list.u24_be()).collect();
    Step::Done(Sslv2ClientHello { version, ciphers }, total)
}

/// Octets before the cipher specifications.
const HEADER: usize = 11;

/// The longest hello that is read: the two length octets count to 0x3ff, which holds over 300 cipher specifications.
pub(super) const MAX_HELLO: usize = 2 + 0x3ff;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_same_however_cut;

    pub(crate) const HELLO: &[u8] = &[
        0x80, 0x1f, // length 31
        0x01, // CLIENT-HELLO
        0x03, 0x01, // version: TLS 1.0
        0x00, 0x06, // cipher specifications
        0x00, 0x00, // session id
        0x00, 0x10, // challenge
        0x00, 0x00, 0x2f, // TLS_RSA_WITH_AES_128_CBC_SHA
        0x07, 0x00, 0xc0, // SSL_CK_DES_192_EDE3_CBC_WITH_MD5
        1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, // challenge
    ];

    #[test]
    fn reads_a_hello_in_the_form_of_ssl_2_however_cut() {
        assert_same_however_cut(sslv2_client_hello, HELLO);
        let hello = Sslv2ClientHello {
            version: Version::TLS_1_0,
            ciphers: vec![0x2f, 0x0007_00c0],
        };
        assert_eq!(sslv2_client_hello(HELLO), Step::Done(hello, 33));
    }

    #[test]
    fn refuses_lengths_that_disagree() {
        for place in [1, 6, 8, 10] {
            let mut octets = HELLO.to_vec();
            octets[place] ^= 1;
            assert!(
                matches!(sslv2_client_hello(&octets), Step::NotThisProtocol(_)),
                "{place}"
            );
        }
    }
}
