//! What wstunnel (erebe/wstunnel) says of its tunnels: a token whose payload names the target, in clear.
//!
//! Since version 7 each tunnel is a request with a JSON Web Token: in the query `bearer` (7), as second subprotocol
//! behind `v1` (from 8 on), or as the whole `Cookie` of a POST over HTTP/2. The key is made up by the client and the
//! server does not check it: the token carries data and is no secret (`wstunnel/src/tunnel/transport/jwt.rs`).

use crate::base64;

/// The target of a tunnel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wstunnel {
    /// `Tcp`, `Udp`, `ReverseTcp`, `ReverseSocks5`, ...: a reverse one is opened to the client's side.
    pub protocol: String,
    /// Host as the client wrote it, with the port.
    pub target: String,
}

impl Wstunnel {
    /// Reads a token. `None` when it is another one: its payload must have the four members of wstunnel in their order.
    #[must_use]
    pub fn of_token(token: &str) -> Option<Self> {
        let token = token.get(..MAX_TOKEN).unwrap_or(token);
        let mut parts = token.split('.');
        let (header, payload) = (parts.next()?, parts.next()?);
        // `{"t`, `{"a`: the header's first member is the type or the algorithm.
        if !header.starts_with("eyJ") {
            return None;
        }
        let payload = String::from_utf8(base64::decode(payload)?).ok()?;
        let rest = payload.strip_prefix(r#"{"id":""#)?;
        let (_, rest) = rest.split_once(r#"","p":"#)?;
        let (protocol, rest) = rest.split_once(r#","r":""#)?;
        let (host, rest) = rest.split_once(r#"","rp":"#)?;
        let port: u16 = rest.strip_suffix('}')?.parse().ok()?;
        // `"Tcp"`, or an object whose only member is named so: `{"Tcp":{"proxy_protocol":false}}`.
        let protocol: String = protocol
            .trim_start_matches(['{', '"'])
            .chars()
            .take_while(char::is_ascii_alphanumeric)
            .take(MAX_PROTOCOL)
            .collect();
        let is_host = |host: &str| !host.is_empty() && host.bytes().all(|o| o.is_ascii_graphic());
        (!protocol.is_empty() && is_host(host) && host.len() <= MAX_HOST).then(|| Self {
            protocol,
            target: format!("{host}:{port}"),
        })
    }
}

/// A host name and 200 octets of the rest, in base64, with header and signature.
const MAX_TOKEN: usize = 2048;
/// `ReverseHttpProxy` is the longest.
const MAX_PROTOCOL: usize = 32;
/// Of a name.
const MAX_HOST: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    /// `{"typ":"JWT","alg":"HS256"}` before, a signature behind; both are not read.
    fn check(payload: &str, expected: Option<(&str, &str)>) {
        let token = format!("eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.{payload}.c2lnbmF0dXJl");
        let found = Wstunnel::of_token(&token);
        let found = found
            .as_ref()
            .map(|w| (w.protocol.as_str(), w.target.as_str()));
        assert_eq!(found, expected);
    }

    #[test]
    fn reads_the_target_of_a_tunnel() {
        // {"id":"1","p":"Tcp","r":"10.0.0.5","rp":3389}
        check(
            "eyJpZCI6IjEiLCJwIjoiVGNwIiwiciI6IjEwLjAuMC41IiwicnAiOjMzODl9",
            Some(("Tcp", "10.0.0.5:3389")),
        );
        // {"id":"1","p":{"ReverseSocks5":{"timeout":null}},"r":"[::]","rp":1080}
        check(
            "eyJpZCI6IjEiLCJwIjp7IlJldmVyc2VTb2NrczUiOnsidGltZW91dCI6bnVsbH19LCJyIjoiWzo6XSIsInJwIjoxMDgwfQ",
            Some(("ReverseSocks5", "[::]:1080")),
        );
    }

    #[test]
    fn other_tokens_are_none() {
        // {"sub":"1234567890","name":"John Doe"}
        check("eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIn0", None);
        // {"id":"1","p":"Tcp","r":"a b","rp":1}
        check("eyJpZCI6IjEiLCJwIjoiVGNwIiwiciI6ImEgYiIsInJwIjoxfQ", None);
        check("", None);
        check("!!!", None);
        assert_eq!(Wstunnel::of_token("secret"), None);
        assert_eq!(Wstunnel::of_token(&"eyJ.".repeat(10_000)), None);
    }
}
