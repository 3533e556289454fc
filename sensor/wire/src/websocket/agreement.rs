//! What the two heads of the upgrade agreed on.

/// How the octets inside the messages are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Agreement {
    /// How the octets of a stream are written in messages.
    pub coding: Coding,
    /// Whether messages may be compressed, and how.
    pub deflate: Option<Deflate>,
}

/// How the octets of a stream are written in messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Coding {
    /// As they are.
    #[default]
    Plain,
    /// In base64, each message for itself: websockify for browsers that had no binary frames, subprotocol `base64`.
    Base64,
}

/// The parameters of permessage-deflate that matter to a reader (RFC 7692, section 7.1). A window smaller than 32 KiB
/// does not: it inflates within the largest one alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Deflate {
    /// Each message of the client is compressed for itself.
    pub client_forgets: bool,
    /// Each message of the server is compressed for itself.
    pub server_forgets: bool,
}

impl Agreement {
    /// Reads the `Sec-WebSocket-Protocol` and `Sec-WebSocket-Extensions` of the server's answer: what it does not name
    /// there is refused, whatever the client offered.
    #[must_use]
    pub fn of_answer(subprotocol: Option<&str>, extensions: Option<&str>) -> Self {
        let coding = match subprotocol {
            Some(name) if name.trim() == "base64" => Coding::Base64,
            _ => Coding::Plain,
        };
        let deflate = tokens(extensions.unwrap_or_default()).find_map(Deflate::read);
        Self { coding, deflate }
    }
}

impl Deflate {
    fn read(extension: &str) -> Option<Self> {
        let mut parts = extension.split(';').map(str::trim);
        if !parts.next()?.eq_ignore_ascii_case("permessage-deflate") {
            return None;
        }
        let mut deflate = Self::default();
        for parameter in parts.take(MAX_TOKENS) {
            let name = parameter.split('=').next().unwrap_or_default().trim();
            deflate.client_forgets |= name.eq_ignore_ascii_case("client_no_context_takeover");
            deflate.server_forgets |= name.eq_ignore_ascii_case("server_no_context_takeover");
        }
        Some(deflate)
    }
}

/// The members of a list field, [`MAX_TOKENS`] at most.
pub fn tokens(list: &str) -> impl Iterator<Item = &str> {
    list.split(',')
        .map(str::trim)
        .filter(|token| !token.is_empty())
        .take(MAX_TOKENS)
}

/// Kubernetes clients offer five subprotocols, browsers two extensions.
pub const MAX_TOKENS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_server_accepted() {
        assert_eq!(Agreement::of_answer(None, None), Agreement::default());
        assert_eq!(
            Agreement::of_answer(Some("binary"), Some("x-webkit-deflate-frame")),
            Agreement::default()
        );
        assert_eq!(
            Agreement::of_answer(Some(" base64"), None).coding,
            Coding::Base64
        );
        let deflate = |extensions| Agreement::of_answer(None, Some(extensions)).deflate;
        assert_eq!(deflate("permessage-deflate"), Some(Deflate::default()));
        assert_eq!(
            deflate(
                "foo, Permessage-Deflate; server_no_context_takeover ; client_max_window_bits=15"
            ),
            Some(Deflate {
                client_forgets: false,
                server_forgets: true,
            })
        );
        assert_eq!(
            deflate("permessage-deflate;client_no_context_takeover;server_max_window_bits=\"9\""),
            Some(Deflate {
                client_forgets: true,
                server_forgets: false,
            })
        );
    }

    #[test]
    fn a_list_has_a_maximum() {
        assert_eq!(tokens(" a, ,b ,").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(tokens(&"a,".repeat(1000)).count(), MAX_TOKENS);
    }
}
