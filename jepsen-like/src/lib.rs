//! jepsen-like
