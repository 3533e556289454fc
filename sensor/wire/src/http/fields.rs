//! The fields of a head that are read.

use memchr::memchr;

use super::message::{Answer, Framing, MAX_HEAD, MAX_VALUE, Request, WebSocketFields};
use super::wstunnel::Wstunnel;
use crate::websocket::tokens;

/// What the field lines of a head say.
#[derive(Debug)]
pub(crate) struct Fields {
    pub(crate) host: Option<String>,
    pub(crate) user_agent: Option<String>,
    pub(crate) upgrade: Option<String>,
    pub(crate) websocket: WebSocketFields,
    pub(crate) is_dns: bool,
    pub(crate) wstunnel: Option<Wstunnel>,
    framing: Framing,
}

/// The fields that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Host,
    UserAgent,
    Upgrade,
    ContentType,
    ContentLength,
    TransferEncoding,
    /// `Sec-WebSocket-Protocol`
    Subprotocols,
    /// `Sec-WebSocket-Extensions`
    Extensions,
}

impl Wanted {
    /// The field of this name, in any case.
    #[inline]
    fn of(name: &[u8]) -> Option<Self> {
        // Each has its own length.
        let (wanted, usual): (Self, &[u8]) = match name.len() {
            4 => (Self::Host, b"Host"),
            7 => (Self::Upgrade, b"Upgrade"),
            10 => (Self::UserAgent, b"User-Agent"),
            12 => (Self::ContentType, b"Content-Type"),
            14 => (Self::ContentLength, b"Content-Length"),
            17 => (Self::TransferEncoding, b"Transfer-Encoding"),
            22 => (Self::Subprotocols, b"Sec-WebSocket-Protocol"),
            24 => (Self::Extensions, b"Sec-WebSocket-Extensions"),
            _ => return None,
        };
        // Nearly everybody writes them so.
        (name == usual || name.eq_ignore_ascii_case(usual)).then_some(wanted)
    }
}

impl Default for Fields {
    fn default() -> Self {
        Self {
            host: None,
            user_agent: None,
            upgrade: None,
            websocket: WebSocketFields::default(),
            is_dns: false,
            wstunnel: None,
            framing: Framing::Silent,
        }
    }
}

impl Fields {
    /// Reads the field lines below the first line of a whole head.
    pub(super) fn read(head: &[u8]) -> Self {
        let mut fields = Self::default();
        let mut lines = Lines(head);
        lines.next();
        while let Some(line) = lines.next() {
            let colon = memchr(b':', line);
            let Some((name, [_, value @ ..])) = colon.and_then(|at| line.split_at_checked(at))
            else {
                // No field; servers skip such lines.
                continue;
            };
            let Some(wanted) = Wanted::of(name.trim_ascii()) else {
                continue;
            };
            if wanted == Wanted::Subprotocols {
                // A token in it may be long.
                fields.take_subprotocols(value.trim_ascii());
                continue;
            }
            // A line that begins with a blank continues the value (RFC 9112, section 5.2).
            let mut value = text(value.trim_ascii(), MAX_VALUE);
            while let Some(more) = lines.next_continued() {
                if value.len() < MAX_VALUE {
                    value.push(' ');
                    value.push_str(&text(more.trim_ascii(), MAX_VALUE - value.len()));
                }
            }
            fields.take_wanted(wanted, value);
        }
        fields
    }

    /// Takes a field, where it is wanted.
    pub(crate) fn take(&mut self, name: &[u8], value: String) {
        if let Some(wanted) = Wanted::of(name) {
            self.take_wanted(wanted, value);
        }
    }

    fn take_wanted(&mut self, wanted: Wanted, value: String) {
        match wanted {
            Wanted::Host => {
                self.host.get_or_insert(value);
            }
            Wanted::UserAgent => {
                self.user_agent.get_or_insert(value);
            }
            Wanted::Upgrade => {
                self.upgrade.get_or_insert(value);
            }
            Wanted::TransferEncoding => {
                let last = value.rsplit(',').next().unwrap_or_default().trim();
                // It overrides a length, wherever that stands (RFC 9112, section 6.3).
                self.framing = if last.eq_ignore_ascii_case("chunked") {
                    Framing::Chunked
                } else {
                    Framing::Unclear
                };
            }
            Wanted::ContentType => {
                let media = value.split(';').next().unwrap_or_default().trim();
                self.is_dns = media.eq_ignore_ascii_case("application/dns-message");
            }
            Wanted::Extensions => append(&mut self.websocket.extensions, &value),
            Wanted::ContentLength => self.take_length(&value),
            Wanted::Subprotocols => {}
        }
    }

    /// Takes a `Sec-WebSocket-Protocol` field: clients that cannot set other fields put their tokens here.
    pub(crate) fn take_subprotocols(&mut self, value: &[u8]) {
        let value = text(value, MAX_HEAD);
        for member in tokens(&value) {
            if let Some(token) = member.strip_prefix("authorization.bearer.") {
                self.wstunnel = self.wstunnel.take().or_else(|| Wstunnel::of_token(token));
            }
            append(&mut self.websocket.subprotocols, &name_of(member));
        }
    }

    /// Takes a cookie: only that of wstunnel, which is its whole token, is looked at.
    pub(crate) fn take_cookie(&mut self, value: &[u8]) {
        if self.wstunnel.is_none() && value.starts_with(b"eyJ") {
            self.wstunnel = Wstunnel::of_token(&text(value, MAX_HEAD));
        }
    }

    /// The request that these are the fields of.
    pub(crate) fn into_request(self, method: String, target: String) -> Request {
        let wstunnel = self.wstunnel.or_else(|| {
            // Version 7 of wstunnel put its token behind the path.
            memchr(b'?', target.as_bytes())?;
            let (_, token) = target.split_once("/events?bearer=")?;
            Wstunnel::of_token(token)
        });
        Request {
            method,
            target,
            host: self.host,
            user_agent: self.user_agent,
            upgrade: self.upgrade,
            framing: self.framing,
            websocket: self.websocket,
            is_dns: self.is_dns,
            wstunnel,
        }
    }

    /// The answer that these are the fields of.
    pub(crate) fn into_answer(self, status: u16) -> Answer {
        Answer {
            status,
            framing: self.framing,
            upgrade: self.upgrade,
            websocket: self.websocket,
            is_dns: self.is_dns,
        }
    }

    fn take_length(&mut self, value: &str) {
        // Only digits: `parse` alone would take a sign.
        let digits = !value.is_empty() && value.bytes().all(|octet| octet.is_ascii_digit());
        let length = value.parse().ok().filter(|_| digits);
        self.framing = match (self.framing, length) {
            (Framing::Chunked, _) => Framing::Chunked,
            (Framing::Silent, Some(length)) => Framing::Length(length),
            (Framing::Length(before), Some(length)) if before == length => Framing::Length(length),
            _ => Framing::Unclear,
        };
    }
}

/// The lines of a head, without what ends them.
struct Lines<'a>(&'a [u8]);

impl<'a> Lines<'a> {
    /// The next line, where it begins with a blank: it goes on with the one before.
    fn next_continued(&mut self) -> Option<&'a [u8]> {
        match self.0.first() {
            Some(b' ' | b'\t') => self.next(),
            _ => None,
        }
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.0.is_empty() {
            return None;
        }
        let end = memchr(b'\n', self.0).unwrap_or(self.0.len());
        let (line, rest) = self.0.split_at_checked(end)?;
        self.0 = rest.get(1..).unwrap_or_default();
        Some(line)
    }
}

/// A further member of a list whose fields may be several.
fn append(list: &mut Option<String>, more: &str) {
    match list {
        None => *list = Some(more.to_owned()),
        Some(list) if list.len() + 2 + more.len() <= MAX_VALUE => {
            list.push_str(", ");
            list.push_str(more);
        }
        Some(_) => {}
    }
}

/// A subprotocol without what may be a secret: what stands behind a word for a token, and the rest of what is longer than
/// any name in use. Names have 26 characters at most (`tunnel-relay-client-v2-dev`); tokens have 32 at least.
fn name_of(member: &str) -> String {
    let lower = member.to_ascii_lowercase();
    let word = ["bearer", "token", "key", "auth", "secret", "jwt"]
        .iter()
        .filter_map(|word| Some(lower.find(&format!("{word}."))? + word.len() + 1))
        .min();
    let kept = word.or_else(|| (member.len() > MAX_NAME).then_some(MAX_NAME / 2));
    match kept.and_then(|end| member.get(..end)) {
        Some(start) => format!("{start}*"),
        None if member.len() > MAX_NAME => "*".to_owned(),
        None => member.to_owned(),
    }
}

/// Octets as text of at most `max` octets; what is no UTF-8 becomes U+FFFD.
pub(crate) fn text(octets: &[u8], max: usize) -> String {
    let kept = octets.get(..max).unwrap_or(octets);
    // Nearly all is text.
    if let Ok(text) = std::str::from_utf8(kept) {
        return text.to_owned();
    }
    let mut text = String::from_utf8_lossy(kept).into_owned();
    // U+FFFD is longer than the octet it stands for.
    let end = (0..=max.min(text.len())).rfind(|&end| text.is_char_boundary(end));
    text.truncate(end.unwrap_or(0));
    text
}

/// See [`name_of`].
const MAX_NAME: usize = 30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_names_of_subprotocols_and_no_tokens() {
        for (member, kept) in [
            ("chisel-v3", "chisel-v3"),
            ("tunnel-relay-client-v2-dev", "tunnel-relay-client-v2-dev"),
            ("v4.channel.k8s.io", "v4.channel.k8s.io"),
            (
                "authorization.bearer.eyJ0eXAi.abc",
                "authorization.bearer.*",
            ),
            (
                "base64url.bearer.authorization.k8s.io.c2VjcmV0",
                "base64url.bearer.*",
            ),
            (
                "openai-insecure-api-key.sk-123",
                "openai-insecure-api-key.*",
            ),
            ("0123456789abcdef0123456789abcdef", "0123456789abcde*"),
        ] {
            assert_eq!(name_of(member), kept);
        }
        let wide = "ü".repeat(20);
        assert_eq!(name_of(&wide), "*");
    }

    #[test]
    fn joins_lists_of_several_fields_up_to_a_maximum() {
        let mut fields = Fields::default();
        fields.take_subprotocols(b"v1");
        fields.take_subprotocols(b" v2 ,v3");
        assert_eq!(fields.websocket.subprotocols.as_deref(), Some("v1, v2, v3"));
        for _ in 0..1000 {
            fields.take_subprotocols(b"aaaaaaaaaaaa");
        }
        assert!(
            fields
                .websocket
                .subprotocols
                .is_some_and(|list| list.len() <= MAX_VALUE)
        );
    }
}
