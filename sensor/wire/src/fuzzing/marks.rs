//! See [`super`].

/// The decoders of a single message: those of streams answer alike however the octets are cut, those of datagrams that
/// say how long they are take them whole or not at all.
///
/// # Panics
/// When a law is broken.
pub fn marks(data: &[u8]) {
    use crate::{
        dnscrypt, hamachi, l2tp, n2n, nebula, pptp, proxy_protocol, softether, tailscale, tinc,
        zerotier,
    };

    same_however_cut(data, pptp::start);
    same_however_cut(data, tinc::identity);
    same_however_cut(data, tinc::meta_key);
    same_however_cut(data, tailscale::derp);
    same_however_cut(data, hamachi::request);
    same_however_cut(data, proxy_protocol::header);
    same_however_cut(data, dnscrypt::answer_over_tcp);
    let cut = data.split_last().map_or(data, |(_, cut)| cut);
    if l2tp::control(data).is_some() && !data.is_empty() {
        assert_eq!(l2tp::control(cut), None, "L2TP that is cut");
    }
    if let Some(softether::Message::Pack { .. }) = softether::message(data) {
        assert_eq!(softether::message(cut), None, "a pack that is cut");
    }
    // A longer datagram is no other protocol, a shorter one may be too short.
    if zerotier::hello(cut).is_some() {
        assert!(zerotier::hello(data).is_some());
    }
    if nebula::handshake(cut).is_some() {
        assert!(nebula::handshake(data).is_some());
    }
    if n2n::header(cut).is_some() {
        assert!(n2n::header(data).is_some());
    }
    if let Some(hamachi::Datagram::Data { constant }) = hamachi::datagram(cut) {
        assert_eq!(
            hamachi::datagram(data),
            Some(hamachi::Datagram::Data { constant })
        );
    }
    if dnscrypt::answer(cut) {
        assert!(dnscrypt::answer(data));
    }
    if tailscale::disco(cut) {
        assert!(tailscale::disco(data));
    }
}

fn same_however_cut<M: PartialEq + std::fmt::Debug>(
    data: &[u8],
    decode: impl Fn(&[u8]) -> crate::Step<M>,
) {
    use crate::Step;

    let whole = decode(data);
    for (cut, _) in data.iter().enumerate().take(200) {
        let Some(prefix) = data.get(..cut) else {
            continue;
        };
        match decode(prefix) {
            Step::NeedMore(missing) => assert!(missing > 0, "asks for nothing"),
            early => assert_eq!(early, whole, "changes its mind at {cut}"),
        }
    }
}

#[cfg(test)]
mod marks_tests {
    use proptest::prelude::*;

    #[test]
    fn laws_hold_for_real_messages() {
        super::marks(&crate::zerotier::sample());
        super::marks(&crate::l2tp::sample());
        super::marks(&crate::softether::sample());
        super::marks(&crate::pptp::sample());
        super::marks(b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\nGET /");
        super::marks(b"0 hub 17\n1 94 64 0 0 0123456789ABCDEF0123456789ABCDEF\n");
    }

    proptest! {
        #[test]
        fn laws_hold_for_random_octets(
            data in proptest::collection::vec(any::<u8>(), 0..200),
            line in "[01] ?[a-z0-9 .]{0,20}\n?",
        ) {
            super::marks(&data);
            super::marks(line.as_bytes());
            super::marks(&[crate::softether::sample(), data.clone()].concat());
            super::marks(&[&[0, 0, 1, 0xd4, 0, 0, 0, 1, 0, 0, 0, 0, 0x7b][..], &data].concat());
            super::marks(&[&[0x00, 0x9c, 0x00, 0x01, 0x1a, 0x2b, 0x3c, 0x4d][..], &data].concat());
        }
    }
}
