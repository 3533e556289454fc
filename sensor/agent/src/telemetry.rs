//! Metrics. (Under construction.)
