//! The entries that a header block refers to by number.

use std::collections::VecDeque;

/// Name and value.
type Entry = (Box<[u8]>, Box<[u8]>);

/// Entries that were added by earlier blocks, the newest first, behind the fixed ones (RFC 7541, section 2.3).
#[derive(Debug)]
pub(super) struct Table {
    added: VecDeque<Entry>,
    size: usize,
    limit: usize,
}

impl Table {
    /// The size that both sides begin with.
    const USUAL: usize = 4096;
    /// What an entry counts beside its octets.
    const OVERHEAD: usize = 32;

    pub(super) fn new() -> Self {
        Self {
            added: VecDeque::new(),
            size: 0,
            limit: Self::USUAL,
        }
    }

    /// Octets of its entries, with what each counts beside them.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// The entry of a number from 1 on.
    pub(super) fn get(&self, number: usize) -> Option<(&[u8], &[u8])> {
        let at = number.checked_sub(1)?;
        if let Some((name, value)) = FIXED.get(at) {
            return Some((name.as_bytes(), value.as_bytes()));
        }
        let (name, value) = self.added.get(at - FIXED.len())?;
        Some((name, value))
    }

    /// Adds an entry; one that is larger than the table empties it.
    pub(super) fn add(&mut self, name: &[u8], value: &[u8]) {
        let size = name.len() + value.len() + Self::OVERHEAD;
        if size > self.limit {
            self.shrink(0);
            return;
        }
        self.shrink(self.limit - size);
        self.added.push_front((name.into(), value.into()));
        self.size += size;
    }

    /// The other side wants at most this size; the caller has bounded it.
    pub(super) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
        self.shrink(limit);
    }

    fn shrink(&mut self, limit: usize) {
        while self.size > limit {
            let Some((name, value)) = self.added.pop_back() else {
                return;
            };
            self.size -= name.len() + value.len() + Self::OVERHEAD;
        }
    }
}

/// RFC 7541, appendix A.
const FIXED: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];
