//! Agent.

pub mod capture;
