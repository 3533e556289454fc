//! Tor: connections to its relays, by the names they make up.
//!
//! **Sees** TLS to a server whose name is `www.`, a random word in base32 and `.com`, from a client that offers no
//! application protocol; and, up to TLS 1.2, the certificate of a relay, whose subject and issuer are such words under
//! `.net` and `.com` and nothing else.
//!
//! **Why it matters.** Tor hides where a host sends its data, and an onion service lets anybody reach the host without an
//! open port (ATT&CK T1090.003).
//!
//! **What also looks like this.** Tor Browser on a private machine. Bridges with pluggable transports do not look like this
//! and are not seen.
//!
//! **References.** tor-spec, "Negotiating versions with TLS"; names of 4 to 25 characters as
//! tor 0.4.9 makes them.

use super::kind::{Kind, Told, kind};
use super::of_client::Deed;
use super::{Around, Detection, Finding, Grade, Listed, NameSource, Reason, Severity, Subject};
use crate::observation::{Fact, FactKind, FactKinds, Observation, Side};

/// Connections to relays.
#[derive(Default)]
pub(super) struct Tor;

const TOR: Kind = kind(
    "anonymizer.tor",
    "Connection to a Tor relay",
    Severity::Medium,
    0,
    0,
);

impl Detection for Tor {
    fn finds(&self) -> Vec<Listed> {
        vec![TOR.listed()]
    }

    fn looks_at(&self) -> FactKinds {
        FactKinds::of(&[FactKind::Tls, FactKind::TlsServer])
    }

    fn observe(&mut self, fact: &Observation, around: &Around<'_>, found: &mut Vec<Finding>) {
        let (client, name, reason) = match &fact.fact {
            Fact::Tls(tls) if tls.inside.is_none() && tls.alpn.is_empty() => {
                let Some(name) = tls.server_name.as_ref().filter(|name| {
                    made_up(name, ".com").is_some_and(|word| is_random(word.as_bytes()))
                }) else {
                    return;
                };
                let because = "a random word in base32 between www. and .com, and no application protocol: how Tor greets a relay";
                (
                    tls.client,
                    Some((name.clone(), NameSource::Sni)),
                    Reason::new("tls.server_name", name, because),
                )
            }
            Fact::TlsServer(tls) => {
                let Some(certificate) = tls.certificate.as_ref().filter(|certificate| {
                    let subject = certificate.subject.strip_prefix("CN=");
                    let issuer = certificate.issuer.strip_prefix("CN=");
                    subject.and_then(|name| made_up(name, ".net")).is_some()
                        && issuer.and_then(|name| made_up(name, ".com")).is_some()
                        && certificate.san.is_empty()
                }) else {
                    return;
                };
                let observed = format!("{} / {}", certificate.subject, certificate.issuer);
                let because =
                    "subject and issuer are random words in base32: the certificate of a Tor relay";
                (
                    Side::Originator,
                    None,
                    Reason::new("tls_server.certificate", observed, because),
                )
            }
            _ => return,
        };
        let deed = Deed {
            fact,
            client,
            grade: Grade::Decoded,
            name,
        };
        let told = Told {
            subject: Subject::Tool("tor".to_owned()),
            tool: Some("tor".to_owned()),
            reasons: vec![reason],
            attack: &["T1090.003"],
            guidance: &[
                "Ask the owner of the host what it is for: a server has no use for Tor.",
                "Look at what the host sent before, and whether it keeps connections for hours: an onion service makes it reachable.",
            ],
        };
        found.push(deed.with_server(&TOR, around, told));
    }
}

/// The word of a name that a relay or a client has made up.
fn made_up<'a>(name: &'a str, zone: &str) -> Option<&'a str> {
    let word = name.strip_prefix("www.")?.strip_suffix(zone)?;
    let base32 = |octet: u8| matches!(octet, b'a'..=b'z' | b'2'..=b'7');
    ((4..=25).contains(&word.len()) && word.bytes().all(base32)).then_some(word)
}

/// Whether nobody can have chosen a word: digits stand among its letters time and again, and few of those are vowels. Names
/// that somebody chose have the one or the other (`office365`, `web2print4you`); of random words more than half pass.
fn is_random(word: &[u8]) -> bool {
    let borders = word
        .windows(2)
        .filter(|pair| matches!(pair, [a, b] if a.is_ascii_digit() != b.is_ascii_digit()))
        .count();
    let vowels = word
        .iter()
        .filter(|octet| matches!(octet, b'a' | b'e' | b'i' | b'o' | b'u'))
        .count();
    borders >= MIN_BORDERS && vowels * 4 <= word.len()
}

const MIN_BORDERS: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_up_name_is_random() {
        let told = |name| made_up(name, ".com").is_some_and(|word| is_random(word.as_bytes()));
        for name in [
            "www.x5k2v7mq3hd4zt.com",
            "www.q2b3cd4fgh.com",
            "www.zq527fc4kxv2um3lbvrvlk65t.com",
        ] {
            assert!(told(name), "{name}");
        }
        for name in [
            "www.office365.com",
            "www.bankofamerica.com",
            "www.4players.com",
            "www.x5k2v7mq3hd4zt.net",
            "x5k2v7mq3hd4zt.com",
            "www.x5k2v7mq3hd4zt8.com",
            "www.4a5b.org",
            "www.web2print4you.com",
        ] {
            assert!(!told(name), "{name}");
        }
    }
}
