//! What can be wrong with a signature file, and what to do about it.

use std::borrow::Cow;

use super::tool::Role;

/// A signature file that cannot be used. The set it belongs to is refused as a whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot read signature file {path}, line {line}, column {column}: {problem}")]
pub struct SignatureError {
    /// As it was given.
    pub path: String,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// What is wrong, and what to do.
    pub problem: Problem,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// No TOML, or a key or value that the schema does not have: in the words of the parser.
    #[error("{0}; the keys and their values are in signatures/README.md")]
    Toml(String),
    /// The file is named otherwise.
    #[error("the id is `{id}` but the file is `{file}`: give both the same name")]
    IdIsNotFileName {
        /// In the file.
        id: String,
        /// Last part of its path.
        file: String,
    },
    /// Characters that no detection id has.
    #[error("the id `{0}` is not made of a-z, 0-9 and _: spell it as detections are spelled")]
    BadId(String),
    /// The file lies in another class's folder.
    #[error(
        "the class is `{class}` but the folder is `{folder}`: move the file or change the class"
    )]
    WrongFolder {
        /// In the file.
        class: &'static str,
        /// In its path.
        folder: String,
    },
    /// The same tool twice in one set.
    #[error("`{detection}` is in {other} too: merge the files")]
    Twice {
        /// Class and id.
        detection: String,
        /// The first file.
        other: String,
    },
    /// A text or list that says nothing.
    #[error("`{0}` is empty: fill it")]
    Empty(&'static str),
    /// No day.
    #[error("`{0}` is not a day: write it as 2026-11-24, without quotes or time")]
    NotADay(&'static str),
    /// No technique.
    #[error("`{0}` is no ATT&CK technique: write it as T1572 or T1021.005")]
    BadTechnique(String),
    /// A value that its kind does not allow.
    #[error("`{value}` is no value of this kind: {why}")]
    BadValue {
        /// As in the file.
        value: String,
        /// What to do.
        why: &'static str,
    },
    /// `seen_in` where nothing is seen.
    #[error(
        "`seen_in` is only for the kinds `name` and `suffix`: remove it, or list at least one place"
    )]
    SeenIn,
    /// Nothing that could hit.
    #[error("nothing here can hit: add a [[match]] that is not a port")]
    NothingHits,
    /// No examples.
    #[error("`{0}` is empty: give at least one example")]
    NoExamples(&'static str),
    /// An example that is none, or several.
    #[error(
        "an example has one of `name`, `octets`, `http`, `alpn`, or `cert_subject` and `cert_issuer`; `seen_in` goes with `name`, `host` and `user_agent` with `http`"
    )]
    BadExample,
    /// Two entries for the same.
    #[error("`{value}` is claimed by {other} too: only one entry can win, remove one")]
    Claimed {
        /// As in the file.
        value: String,
        /// Which file.
        other: String,
    },
    /// A hit that is none.
    #[error("{example} must hit with role {role}, but hits {instead}: correct the example or the entry", role = role.name())]
    HitMisses {
        /// What was looked up.
        example: String,
        /// What the example wants.
        role: Role,
        /// What was found.
        instead: String,
    },
    /// A miss that is none.
    #[error(
        "{example} must not hit, but the entry `{value}` takes it: correct the example or the entry"
    )]
    MissHits {
        /// What was looked up.
        example: String,
        /// Of which entry.
        value: String,
    },
}

/// Where a tool was read from: enough to name a line after the text is gone.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Source {
    pub(super) path: String,
    text: Cow<'static, str>,
}

impl Source {
    pub(super) fn new(path: &str, text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            path: path.to_owned(),
            text: text.into(),
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// `offset` is in octets of the text.
    pub(super) fn error(&self, offset: usize, problem: Problem) -> SignatureError {
        let before = self
            .text
            .get(..offset.min(self.text.len()))
            .unwrap_or_default();
        let last_line = before.rsplit('\n').next().unwrap_or_default();
        SignatureError {
            path: self.path.clone(),
            line: before.matches('\n').count() + 1,
            column: last_line.chars().count() + 1,
            problem,
        }
    }
}
