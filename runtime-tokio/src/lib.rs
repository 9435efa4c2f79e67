//! runtime-tokio

pub mod generated;
