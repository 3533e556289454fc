//! Signatures: the text of `signatures/` to look-ups. Under construction.
