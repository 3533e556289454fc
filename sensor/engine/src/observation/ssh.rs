//! What the clear part of an SSH connection tells.

use serde::Serialize;

use super::Side;

/// Identification and key exchange of SSH.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ssh {
    /// Identification string of who opened the connection, without its line end.
    pub client: Option<String>,
    /// Identification string of who was addressed.
    pub server: Option<String>,
    /// Fingerprint of what `client` offers (its lists from client to server), 32 hexadecimal digits.
    pub hassh: Option<String>,
    /// Fingerprint of what `server` offers (its lists from server to client).
    pub hassh_server: Option<String>,
    /// Whether who opened the connection is the SSH server, by the messages of the key exchange: a reversed connection.
    pub reversed: bool,
    /// Whether encryption began: NEWKEYS, or the session key of protocol 1.
    pub encrypted: bool,
    /// `tcp`, or what carries it.
    pub carrier: &'static str,
    /// Which side opened the connection; where no SYN was seen, which side the messages or the ports point to.
    #[serde(skip)]
    pub opener: Side,
}

impl Ssh {
    /// Whether both sides spoke SSH and began to agree on keys.
    #[must_use]
    pub fn is_session(&self) -> bool {
        let both = self.client.is_some() && self.server.is_some();
        let begun = self.hassh.is_some() || self.hassh_server.is_some();
        self.encrypted || both && begun
    }

    /// The side of the SSH client.
    #[must_use]
    pub fn client_side(&self) -> Side {
        if self.reversed {
            self.opener.other()
        } else {
            self.opener
        }
    }
}
