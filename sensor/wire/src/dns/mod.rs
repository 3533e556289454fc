//! Under construction.

/// Writes a type of the DNS registry by its mnemonic, else as `TYPE<n>` (RFC 3597, section 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TypeName(pub u16);

impl std::fmt::Display for TypeName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TYPE{}", self.0)
    }
}

/// Writes a response code of the DNS registry by its mnemonic, else as `RCODE<n>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RcodeName(pub u16);

impl std::fmt::Display for RcodeName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RCODE{}", self.0)
    }
}
