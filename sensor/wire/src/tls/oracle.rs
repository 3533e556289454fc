//! What is read of hellos and chains, compared with what `tls-parser` reads.

use proptest::prelude::*;
use tls_parser::{
    TlsMessageHandshake, parse_tls_handshake_client_hello, parse_tls_handshake_msg_certificate,
};

use super::{client_hello, first_certificate, samples};

proptest! {
    /// Hellos and chains with a fault anywhere are read as far as the parser that many use reads them.
    #[test]
    fn reads_what_another_parser_reads(
        at in any::<prop::sample::Index>(),
        octet in any::<u8>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut body = samples::chrome("www.example.com");
        // The fault is where lengths stand: behind version and random.
        let place = 34 + at.index(48);
        body[place] = octet;
        for body in [&body[..], &body[..cut.index(body.len())]] {
            let ours = client_hello(body);
            let other = parse_tls_handshake_client_hello(body).ok().map(|(_, hello)| hello);
            prop_assert_eq!(ours.is_some(), other.is_some());
            if let (Some(ours), Some(other)) = (ours, other) {
                prop_assert_eq!(ours.version.0, other.version.0);
                let ciphers = ours.ciphers().map(|suite| suite.0);
                prop_assert!(ciphers.eq(other.ciphers.iter().map(|suite| suite.0)));
                let compression = ours.compression.iter().copied();
                prop_assert!(compression.eq(other.comp.iter().map(|method| method.0)));
            }
        }
        let mut chain = samples::certificate(&[b"first", b"second", b""]);
        let place = at.index(chain.len());
        chain[place] = octet;
        for chain in [&chain[..], &chain[..cut.index(chain.len())]] {
            let other = match parse_tls_handshake_msg_certificate(chain) {
                Ok((_, TlsMessageHandshake::Certificate(chain))) => {
                    chain.cert_chain.first().map(|first| first.data)
                }
                _ => None,
            };
            prop_assert_eq!(first_certificate(chain), other);
        }
    }
}
