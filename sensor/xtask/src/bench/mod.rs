//! Bench.

mod captures;

pub(crate) use captures::make;
