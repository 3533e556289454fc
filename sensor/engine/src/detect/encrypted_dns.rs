//! Encrypted DNS: look-ups that the resolver of the house does not see.
//!
//! **Sees** DNS over TLS (port 853, or the application protocol `dot`), over QUIC (`doq`, or UDP port 853), over HTTPS (the
//! names of well-known resolvers, and the path of RFC 8484 where HTTP is in clear), and DNSCrypt (answers, certificates and
//! clients by name).
//!
//! **Why it matters.** What a host looks up says what it is about to do; where that is hidden, the names of tunnels and of
//! remote control are hidden with it (ATT&CK T1071.004, T1572).
//!
//! **What also looks like this.** Browsers and telephones do it by themselves: worth knowing, no more.
//!
//! **References.** RFC 7858, RFC 8484, RFC 9250, draft-denis-dprive-dnscrypt.

use super::kind::{Kind, Told, kind};
use super::of_client::Deed;
use super::{Around, Detection, Finding, Grade, Listed, NameSource, Reason, Severity, Subject};
use crate::observation::{
    Alpn, DnsTransaction, Fact, FactKind, FactKinds, Http, NameService, Observation, Side,
};
use crate::signature::Ends;

/// The detections of class `dns`.
pub(super) struct EncryptedDns {
    /// How the names of [`RESOLVERS`] end.
    resolvers: Ends,
}

impl EncryptedDns {
    pub(super) fn new() -> Self {
        Self {
            resolvers: Ends::of(RESOLVERS),
        }
    }
}

const DOT: Kind = kind("dns.dot", "DNS over TLS", Severity::Info, 0, 0);
const DOH: Kind = kind("dns.doh", "DNS over HTTPS", Severity::Info, 0, 0);
const DOQ: Kind = kind("dns.doq", "DNS over QUIC", Severity::Info, 0, 0);
const DNSCRYPT: Kind = kind("dns.dnscrypt", "DNSCrypt", Severity::Low, 0, 0);
/// The same detection, by a name that people visit too.
const DNSCRYPT_CLIENT: Kind = kind(
    "dns.dnscrypt",
    "Name that clients of DNSCrypt ask for",
    Severity::Info,
    0,
    0,
);

const ALL: [&Kind; 4] = [&DOT, &DOH, &DOQ, &DNSCRYPT];

impl Detection for EncryptedDns {
    fn finds(&self) -> Vec<Listed> {
        ALL.iter().map(|kind| kind.listed()).collect()
    }

    fn looks_at(&self) -> FactKinds {
        FactKinds::of(&[
            FactKind::Tls,
            FactKind::Quic,
            FactKind::Http,
            FactKind::Marks,
            FactKind::Dns,
        ])
    }

    fn observe(&mut self, fact: &Observation, around: &Around<'_>, found: &mut Vec<Finding>) {
        let sign = match &fact.fact {
            Fact::Tls(tls) if tls.inside.is_none() => hello(
                &self.resolvers,
                fact,
                &Hello {
                    client: tls.client,
                    name: tls.server_name.as_deref(),
                    alpn: &tls.alpn,
                    over: &TLS,
                },
            ),
            Fact::Quic(quic) => hello(
                &self.resolvers,
                fact,
                &Hello {
                    client: quic.client,
                    name: quic.server_name.as_deref(),
                    alpn: &quic.alpn,
                    over: &QUIC,
                },
            ),
            Fact::Http(http) => in_clear(http),
            Fact::Marks(marks) if marks.protocol == "dnscrypt" => Some(Sign {
                kind: &DNSCRYPT,
                client: marks.client,
                grade: Grade::Decoded,
                name: None,
                reason: Reason::new("flow.protocol", "dnscrypt", "a resolver's answer"),
            }),
            Fact::Dns(dns) if asks_for_certificate(dns) => Some(certificate(dns)),
            _ => return,
        };
        found.extend(sign.map(|sign| finding(fact, sign, around)));
    }
}

/// What showed encrypted DNS.
struct Sign {
    kind: &'static Kind,
    client: Side,
    grade: Grade,
    name: Option<(String, NameSource)>,
    reason: Reason,
}

/// A client's hello over TLS or QUIC.
struct Hello<'a> {
    client: Side,
    name: Option<&'a str>,
    alpn: &'a Alpn,
    over: &'static Over,
}

/// What differs between TLS and QUIC.
struct Over {
    /// DNS straight over it.
    kind: &'static Kind,
    /// Its application protocol, and the start of the names of drafts.
    alpn: &'static str,
    draft: &'static str,
    alpn_field: &'static str,
    name_field: &'static str,
}

const TLS: Over = Over {
    kind: &DOT,
    alpn: "dot",
    draft: "dot-",
    alpn_field: "tls.alpn",
    name_field: "tls.server_name",
};

const QUIC: Over = Over {
    kind: &DOQ,
    alpn: "doq",
    draft: "doq-i",
    alpn_field: "quic.alpn",
    name_field: "quic.server_name",
};

fn hello(resolvers: &Ends, fact: &Observation, hello: &Hello<'_>) -> Option<Sign> {
    let over = hello.over;
    let server = fact.flow.endpoint(hello.client.other());
    let sign = |kind, reason| Sign {
        kind,
        client: hello.client,
        grade: Grade::Decoded,
        name: hello.name.map(|name| (name.to_owned(), NameSource::Sni)),
        reason,
    };
    let by_alpn = hello
        .alpn
        .iter()
        .find(|protocol| *protocol == over.alpn || protocol.starts_with(over.draft));
    if let Some(protocol) = by_alpn {
        let because = "the application protocol of DNS";
        return Some(sign(
            over.kind,
            Reason::new(over.alpn_field, protocol, because),
        ));
    }
    if server.port == PORT {
        let because = "the port of DNS over TLS and over QUIC";
        return Some(sign(
            over.kind,
            Reason::new("flow.resp_p", server.port, because),
        ));
    }
    let name = hello.name?;
    if SOFTWARE
        .iter()
        .any(|known| name.eq_ignore_ascii_case(known))
    {
        let because = "clients of DNSCrypt fetch updates and lists of resolvers there";
        return Some(Sign {
            grade: Grade::Name,
            ..sign(
                &DNSCRYPT_CLIENT,
                Reason::new(over.name_field, name, because),
            )
        });
    }
    if !is_resolver(resolvers, name) {
        return None;
    }
    let because = "a public resolver that answers over HTTPS";
    Some(sign(&DOH, Reason::new(over.name_field, name, because)))
}

/// A request of RFC 8484 that can be read.
fn in_clear(http: &Http) -> Option<Sign> {
    is_question(&http.method, &http.uri).then(|| Sign {
        kind: &DOH,
        client: http.client,
        grade: Grade::Decoded,
        name: http.host.clone().map(|host| (host, NameSource::Http)),
        // The query is the question itself: it stays here.
        reason: Reason::new("http.uri", PATH, "the path of RFC 8484"),
    })
}

fn is_question(method: &str, uri: &str) -> bool {
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    path == PATH
        && match method {
            "GET" => query
                .split('&')
                .any(|field| field.starts_with("dns=") && field.len() > MIN_QUESTION),
            "POST" => true,
            _ => false,
        }
}

/// A look-up of a DNSCrypt resolver's certificate, which its clients ask for first.
fn asks_for_certificate(dns: &DnsTransaction) -> bool {
    let Some(head) = dns.query.get(..CERTIFICATE.len()) else {
        return false;
    };
    let of_provider = |provider: &&str| dns.query.eq_ignore_ascii_case(provider);
    dns.service == NameService::Dns
        && head.starts_with('2')
        && (head.eq_ignore_ascii_case(CERTIFICATE) || PROVIDERS.iter().any(of_provider))
}

fn certificate(dns: &DnsTransaction) -> Sign {
    let because = "the certificate of a DNSCrypt resolver";
    Sign {
        kind: &DNSCRYPT,
        client: dns.client,
        grade: Grade::Name,
        name: None,
        reason: Reason::new("dns.query", &dns.query, because),
    }
}

fn finding(fact: &Observation, sign: Sign, around: &Around<'_>) -> Finding {
    let peer = fact.flow.endpoint(sign.client.other()).ip;
    let deed = Deed {
        fact,
        client: sign.client,
        grade: sign.grade,
        name: sign.name,
    };
    let told = Told {
        subject: Subject::Peer(peer),
        tool: None,
        reasons: vec![sign.reason],
        attack: &["T1071.004"],
        guidance: &[
            "Find out which program asks: browsers and telephones do it by themselves.",
            "Where the house wants to see look-ups, block the resolver's address, port 853, and answer the name use-application-dns.net with NXDOMAIN.",
        ],
    };
    deed.with_server(sign.kind, around, told)
}

/// Whether a name is one of [`RESOLVERS`], which end so, or below one.
fn is_resolver(ends: &Ends, name: &str) -> bool {
    let name = name.trim_end_matches('.').as_bytes();
    if !ends.may_have(name) {
        return false;
    }
    RESOLVERS.iter().any(|resolver| {
        let resolver = resolver.as_bytes();
        name.len()
            .checked_sub(resolver.len())
            .and_then(|border| name.split_at_checked(border))
            .is_some_and(|(rest, end)| {
                end.eq_ignore_ascii_case(resolver) && matches!(rest.last(), None | Some(b'.'))
            })
    })
}

const PORT: u16 = 853;
const PATH: &str = "/dns-query";
/// `dns=` and a header of 12 octets with a question in base64.
const MIN_QUESTION: usize = 24;
/// What a client asks a resolver for first (draft-denis-dprive-dnscrypt, section 8).
const CERTIFICATE: &str = "2.dnscrypt-cert.";
/// Providers whose name does not follow the rule: Avast's Secure DNS.
const PROVIDERS: [&str; 1] = ["2.securedns.avast.com"];
/// Where Simple DNSCrypt and dnscrypt-proxy fetch updates and lists.
const SOFTWARE: [&str; 2] = ["simplednscrypt.org", "download.dnscrypt.info"];

/// Names of public resolvers that serve DNS over HTTPS, from the pages of their operators and the list of the curl project
/// (`github.com/curl/curl/wiki/DNS-over-HTTPS`), read in November 2026. Names that serve anything else are left out.
const RESOLVERS: &[&str] = &[
    "dns.google",
    "cloudflare-dns.com",
    "one.one.one.one",
    "cloudflare-gateway.com",
    "dns.quad9.net",
    "dns9.quad9.net",
    "dns10.quad9.net",
    "dns11.quad9.net",
    "dns12.quad9.net",
    "doh.opendns.com",
    "doh.familyshield.opendns.com",
    "doh.sandbox.opendns.com",
    "doh.umbrella.com",
    "dns.adguard.com",
    "dns-family.adguard.com",
    "dns-unfiltered.adguard.com",
    "dns.adguard-dns.com",
    "family.adguard-dns.com",
    "unfiltered.adguard-dns.com",
    "d.adguard-dns.com",
    "dns.nextdns.io",
    "doh.cleanbrowsing.org",
    "dns.mullvad.net",
    "dns.controld.com",
    "freedns.controld.com",
    "doh.dns.sb",
    "doh.xfinity.com",
    "doh.libredns.gr",
    "doh.applied-privacy.net",
    "doh.appliedprivacy.net",
    "dns.digitale-gesellschaft.ch",
    "dns.switch.ch",
    "odvr.nic.cz",
    "doh.ffmuc.net",
    "anycast.uncensoreddns.org",
    "unicast.uncensoreddns.org",
    "ordns.he.net",
    "dns.alidns.com",
    "doh.pub",
    "doh.360.cn",
    "dns.twnic.tw",
    "public.dns.iij.jp",
    "wikimedia-dns.org",
    "protective.joindns4.eu",
    "unfiltered.joindns4.eu",
    "doh.dns4all.eu",
    "dns0.eu",
    "dns.njal.la",
    "doh.tiar.app",
    "jp.tiar.app",
    "dns.rabbitdns.org",
    "basic.rethinkdns.com",
    "max.rethinkdns.com",
    "sky.rethinkdns.com",
    "doh.safesurfer.io",
    "doh.cira.ca",
    "private.canadianshield.cira.ca",
    "protected.canadianshield.cira.ca",
    "family.canadianshield.cira.ca",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resolver_is_told_on_label_borders() {
        for name in [
            "dns.google",
            "MOZILLA.cloudflare-dns.com",
            "abc123.dns.nextdns.io",
            "dns.adguard.com.",
        ] {
            assert!(is_resolver(&Ends::of(RESOLVERS), name), "{name}");
        }
        for name in [
            "www.google.com",
            "notdns.google",
            "dns.google.example.org",
            "cloudflare.com",
            "nextdns.io",
            "",
        ] {
            assert!(!is_resolver(&Ends::of(RESOLVERS), name), "{name}");
        }
    }

    #[test]
    fn a_question_over_http_is_told_by_path_and_query() {
        for (method, uri, told) in [
            ("POST", "/dns-query", true),
            (
                "GET",
                "/dns-query?dns=AAABAAABAAAAAAAAA3d3dwdleGFtcGxlA2NvbQAAAQAB",
                true,
            ),
            ("GET", "/dns-query?dns=x", false),
            ("GET", "/dns-query", false),
            ("POST", "/dns-query/stats", false),
        ] {
            assert_eq!(is_question(method, uri), told, "{uri}");
        }
    }
}
