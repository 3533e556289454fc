//! The values of entries: how each kind is written, and how it is compared.

use super::tool::Kind;

/// Whether `value` is written as its kind wants it; else what to do.
pub(super) fn check(kind: Kind, value: &str) -> Result<(), &'static str> {
    match kind {
        Kind::Name => check_name(value),
        Kind::Suffix if value.contains('*') => Err("a suffix covers all below it, without `*`"),
        Kind::Suffix => check_name(value),
        Kind::Alpn if value.len() > MAX_ALPN => Err("an ALPN protocol has 255 octets at most"),
        Kind::Alpn if value.ends_with('*') => Open::parse(value).map(|_| ()),
        Kind::Alpn => Ok(()),
        Kind::Protocol => match value.bytes().all(is_word) {
            true => Ok(()),
            false => Err("a protocol is written as records do: `[a-z0-9_]`"),
        },
        Kind::HttpUpgrade if value.contains(',') || value.trim() != value || value.is_empty() => {
            Err("write one protocol, without blanks at its ends")
        }
        Kind::HttpUpgrade => Ok(()),
        Kind::WebsocketProtocol => Open::parse(value).map(|_| ()),
        Kind::SshBanner if !value.starts_with("SSH-") => {
            Err("a banner begins with `SSH-2.0-`, or another version")
        }
        Kind::SshBanner => Open::parse(value).map(|_| ()),
        Kind::CertSubject | Kind::CertIssuer => match value.split_once('=') {
            Some((_, text)) if text.contains('*') => Open::parse(text).map(|_| ()),
            Some((name, text)) if !name.is_empty() && !text.is_empty() => Ok(()),
            _ => Err("write one attribute, such as O=Example Inc"),
        },
        Kind::HttpPath => Path::parse(value).map(|_| ()),
        Kind::UserAgent => Open::parse(value).map(|_| ()),
        Kind::Octets => Octets::parse(value).map(|_| ()),
        Kind::Port => port(value)
            .map(|_| ())
            .ok_or("write a port as 7844/tcp or 7844/udp"),
    }
}

fn is_word(octet: u8) -> bool {
    octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'_'
}

/// A host name, as an entry may write it.
fn check_name(value: &str) -> Result<(), &'static str> {
    let fits =
        |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.' | b'*');
    if value.len() > MAX_NAME || !value.bytes().all(fits) {
        return Err("a name has letters, digits, `-`, `_` and `.` (other scripts as xn--...)");
    }
    let mut labels = value.split('.');
    if labels.clone().any(str::is_empty) {
        return Err("write it without a dot at its ends and without empty labels");
    }
    if labels.clone().any(|label| label.matches('*').count() > 1) {
        return Err("one `*` at most in a label");
    }
    if labels.next_back().is_some_and(|label| label.contains('*')) {
        return Err("the last label cannot have a `*`");
    }
    // `*.com` would cover the world.
    if !labels.any(|label| !label.contains('*')) {
        return Err("at least two labels must be spelled out");
    }
    Ok(())
}

/// Whether a name has the labels of a value with `*`. Case does not matter.
pub(super) fn name_fits(value: &str, name: &str) -> bool {
    let tail = value.rsplit_once('*').map_or(value, |(_, tail)| tail);
    let end = name.len().checked_sub(tail.len());
    // Most names differ there: that is seen without a look at their labels.
    if !end
        .and_then(|end| name.as_bytes().get(end..))
        .is_some_and(|end| end.eq_ignore_ascii_case(tail.as_bytes()))
    {
        return false;
    }
    let mut labels = name.split('.');
    value.split('.').all(|want| {
        labels
            .next()
            .is_some_and(|label| match want.split_once('*') {
                None => label.eq_ignore_ascii_case(want),
                Some((start, end)) => {
                    let (label, spelled) = (label.as_bytes(), start.len() + end.len());
                    let begins =
                        |part: &[u8], text: &str| part.eq_ignore_ascii_case(text.as_bytes());
                    label.len() > spelled
                        && begins(&label[..start.len()], start)
                        && begins(&label[label.len() - end.len()..], end)
                }
            })
    }) && labels.next().is_none()
}

/// A transport and its port: `7844/tcp`.
pub(super) fn port(value: &str) -> Option<(&str, u16)> {
    let (port, transport) = value.split_once('/')?;
    let port = port.parse().ok().filter(|&port: &u16| port != 0)?;
    matches!(transport, "tcp" | "udp").then_some((transport, port))
}

/// Whether one attribute of a name in RFC 4514 form is `value`, such as `O=ngrok Inc`, or begins as a value that ends in
/// `*`.
pub(super) fn has_attribute(name: &str, value: &str) -> bool {
    let mut escaped = false;
    // A comma or plus behind a backslash belongs to the text (RFC 4514, section 2.4).
    name.split(|character| {
        let ends = !escaped && matches!(character, ',' | '+');
        escaped = !escaped && character == '\\';
        ends
    })
    .any(|attribute| {
        let attribute = attribute.trim();
        match value.strip_suffix('*') {
            None => attribute.eq_ignore_ascii_case(value),
            Some(start) => attribute
                .get(..start.len())
                .is_some_and(|found| found.eq_ignore_ascii_case(start) && attribute != found),
        }
    })
}

/// A text, whole or, with `*` at its end, the start of one.
#[derive(Debug)]
pub(super) struct Open {
    text: String,
    open: bool,
}

impl Open {
    pub(super) fn parse(value: &str) -> Result<Self, &'static str> {
        let (text, open) = match value.strip_suffix('*') {
            Some(text) => (text, true),
            None => (value, false),
        };
        if text.contains('*') {
            return Err("only one `*`, at the end");
        }
        if open && text.len() < 4 {
            return Err("at least four characters must be spelled out");
        }
        // A whole text hits nothing but itself.
        if text.len() < 3 {
            return Err("at least three characters must be spelled out");
        }
        let text = text.to_owned();
        Ok(Self { text, open })
    }

    pub(super) fn fits(&self, text: &str) -> bool {
        if self.open {
            text.starts_with(&self.text)
        } else {
            text == self.text
        }
    }
}

/// A path, perhaps of one method only: `/api/agent/*`, `CONNECT PageKite:1`.
#[derive(Debug)]
pub(super) struct Path {
    method: Option<String>,
    path: Open,
}

impl Path {
    pub(super) fn parse(value: &str) -> Result<Self, &'static str> {
        let (method, path) = match value.split_once(' ') {
            Some((method, path)) => (Some(method.to_owned()), path),
            None => (None, value),
        };
        if method.is_none() && !path.starts_with('/') {
            return Err("a path begins with `/`, or a method and a blank stand before it");
        }
        if path.contains(['?', ' ']) {
            return Err("write the path alone, without query or blank");
        }
        let path = Open::parse(path)?;
        Ok(Self { method, path })
    }

    /// Whether a request fits, given its path without the query.
    pub(super) fn fits(&self, method: &str, path: &str) -> bool {
        self.path.fits(path) && self.method.as_deref().is_none_or(|want| want == method)
    }
}

/// The first octets of a side: text as it stands, and between bars pairs of hexadecimal digits, `??` (any octet),
/// `digits` (1 to 20 decimal digits) or `uuid` (36 characters), with blanks between them.
#[derive(Debug)]
pub(super) struct Octets(Vec<Piece>);

#[derive(Debug)]
enum Piece {
    Octet(u8),
    Any,
    Digits,
    Uuid,
}

impl Octets {
    pub(super) fn parse(value: &str) -> Result<Self, &'static str> {
        let mut pieces = Vec::new();
        for (place, part) in value.split('|').enumerate() {
            if place.is_multiple_of(2) {
                pieces.extend(part.bytes().map(Piece::Octet));
                continue;
            }
            for word in part.split_ascii_whitespace() {
                pieces.push(match word {
                    "??" => Piece::Any,
                    "digits" => Piece::Digits,
                    "uuid" => Piece::Uuid,
                    word => Piece::Octet(hexadecimal(word).ok_or(OCTETS_HELP)?),
                });
            }
        }
        if !value.matches('|').count().is_multiple_of(2) {
            return Err("a bar `|` without its second one; the bar itself is |7c|");
        }
        let fixed = pieces
            .iter()
            .filter(|piece| matches!(piece, Piece::Octet(_)));
        if fixed.count() < MIN_FIXED {
            return Err("at least four octets must be spelled out, or it hits everywhere");
        }
        Ok(Self(pieces))
    }

    /// Whether something that begins with this octet may fit.
    pub(super) fn may_begin(&self, first: u8) -> bool {
        match self.0.first() {
            Some(Piece::Octet(want)) => *want == first,
            Some(Piece::Digits) => first.is_ascii_digit(),
            Some(Piece::Uuid) => first.is_ascii_hexdigit(),
            Some(Piece::Any) | None => true,
        }
    }

    /// Whether `octets` begin so. Too few octets fit nothing.
    pub(super) fn fits(&self, octets: &[u8]) -> bool {
        let mut rest = octets;
        self.0.iter().all(|piece| {
            let length = match piece {
                Piece::Octet(want) => rest.first().filter(|octet| *octet == want).map(|_| 1),
                Piece::Any => rest.first().map(|_| 1),
                Piece::Digits => {
                    let run = rest.iter().take_while(|octet| octet.is_ascii_digit());
                    Some(run.count()).filter(|count| (1..=MAX_DIGITS).contains(count))
                }
                Piece::Uuid => rest
                    .get(..UUID.len())
                    .filter(|text| is_uuid(text))
                    .map(<[u8]>::len),
            };
            match length.and_then(|length| rest.split_at_checked(length)) {
                Some((_, after)) => {
                    rest = after;
                    true
                }
                None => false,
            }
        })
    }

    /// The octets of a value without anything left open: an example.
    pub(super) fn literal(value: &str) -> Result<Vec<u8>, &'static str> {
        let octet = |piece| match piece {
            Piece::Octet(octet) => Some(octet),
            Piece::Any | Piece::Digits | Piece::Uuid => None,
        };
        let pieces = Self::parse(value)?.0.into_iter();
        let octets = pieces.map(octet).collect::<Option<Vec<_>>>();
        octets.ok_or("an example leaves nothing open: write the octets")
    }
}

fn hexadecimal(word: &str) -> Option<u8> {
    let digits = word.len() == 2 && word.bytes().all(|digit| digit.is_ascii_hexdigit());
    u8::from_str_radix(word, 16).ok().filter(|_| digits)
}

fn is_uuid(text: &[u8]) -> bool {
    text.iter().zip(UUID).all(|(octet, want)| match want {
        b'-' => *octet == b'-',
        _ => octet.is_ascii_hexdigit(),
    })
}

/// RFC 9562, section 4.
const UUID: &[u8] = b"xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
/// RFC 1035, section 2.3.4.
pub(super) const MAX_NAME: usize = 253;
/// RFC 7301, section 3.1.
const MAX_ALPN: usize = 255;
/// 2^64 has as many.
const MAX_DIGITS: usize = 20;
/// Three letters begin too many protocols.
const MIN_FIXED: usize = 4;
const OCTETS_HELP: &str =
    "between bars stand pairs of hexadecimal digits, `??`, `digits` or `uuid`, with blanks between";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_part_of_one_label() {
        assert!(name_fits("connect.*.example.com", "connect.eu.example.com"));
        assert!(name_fits(
            "connect.*-example.com",
            "connect.dev-example.com"
        ));
        assert!(name_fits("a*z.example.com", "abz.example.com"));
        for name in [
            "connect.example.com",
            "connect.a.b.example.com",
            "x.connect.eu.example.com",
            "connect..example.com",
            "connect.eu.example.com.org",
        ] {
            assert!(!name_fits("connect.*.example.com", name), "{name}");
        }
        assert!(!name_fits("connect.*-example.com", "connect.-example.com"));
        assert!(!name_fits("aa*aa.example.com", "aaa.example.com"));
    }

    #[test]
    fn octets_are_compared_piece_by_piece() {
        let pattern = Octets::parse("AB|00 ?? 7c|C|digits|;").unwrap();
        assert!(pattern.fits(b"AB\x00\xff|C42;rest"));
        for other in [
            &b"AB\x00\xff|C;"[..],
            b"AB\x00\xff|C42",
            b"AB\x00",
            b"",
            b"AB\x01\xff|C42;",
        ] {
            assert!(!pattern.fits(other), "{other:?}");
        }
        let long = [b"AB\x00\xff|C".to_vec(), vec![b'1'; 21], b";".to_vec()].concat();
        assert!(!pattern.fits(&long));
    }

    #[test]
    fn an_attribute_is_compared_whole() {
        assert!(has_attribute("C=US, O=ngrok Inc, CN=x", "O=ngrok Inc"));
        assert!(has_attribute("CN=x+o=NGROK inc", "O=ngrok Inc"));
        assert!(!has_attribute("CN=a\\,O=ngrok Inc", "O=ngrok Inc"));
        assert!(has_attribute("CN=a\\\\,O=ngrok Inc", "O=ngrok Inc"));
        assert!(!has_attribute("O=ngrok Inc.", "O=ngrok Inc"));
        assert!(has_attribute("O=x,CN=Root-1a2b", "CN=root-*"));
        assert!(!has_attribute("O=x,CN=Root-", "CN=Root-*"));
        assert!(!has_attribute("CN=My Root-1a2b", "CN=Root-*"));
    }

    #[test]
    fn paths_may_name_a_method_and_stay_open() {
        let connect = Path::parse("CONNECT PageKite:1").unwrap();
        assert!(connect.fits("CONNECT", "PageKite:1"));
        assert!(!connect.fits("GET", "PageKite:1"));
        assert!(!connect.fits("CONNECT", "PageKite:12"));
        let open = Path::parse("/api/*").unwrap();
        assert!(open.fits("GET", "/api/x"));
        assert!(!open.fits("GET", "/other"));
    }
}
