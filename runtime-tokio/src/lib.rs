//! The driver's ports on a real machine: tokio for tasks and sockets, ordinary files, etcd's peer protocol between
//! members and gRPC for clients. Nothing is decided here: this crate carries bytes between the world and the driver.

pub mod clock;
pub mod codec;
pub mod disk;
pub mod generated;
pub mod grpc;
pub mod http;
pub mod jwt;
pub mod net;
mod passwords;
pub mod runtime;
pub mod stop;
pub mod threads;

pub use runtime::Tokio;

#[cfg(test)]
mod testing;
