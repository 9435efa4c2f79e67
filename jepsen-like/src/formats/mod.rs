//! Histories as files.

pub mod jsonl;
