//! HTTP on the client port: sniffing, health and version.
pub mod answer;
