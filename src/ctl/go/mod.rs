//! Go's way to write things. Scripts all over the world read what etcdctl prints and feed it durations, numbers and
//! quoted words; those follow the Go standard library's rules, so a compatible client has to follow them too.
//!
//! Only the forms etcdctl shows or takes are here.

mod duration;
mod number;
mod process;
mod quote;
mod words;

#[cfg(test)]
mod tests;

pub use duration::{format_duration, parse_duration};
pub use number::{parse_bool, parse_int, parse_uint};
pub use process::signal;
pub use quote::{quote, unquote};
pub use words::split_words;
