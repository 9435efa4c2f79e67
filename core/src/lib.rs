//! The core decides everything and touches nothing.
//!
//! It takes [`Input`]s, a [`Moment`] and a buffer, and appends [`Effect`]s. There is no clock in here, no disk, no
//! network, no entropy and no order that depends on an address or a hash, so the same inputs at the same moments
//! give the same effects, byte for byte, on every machine. Whatever the world must do is in the list of effects;
//! whatever the world has done comes back in the list of inputs.
//!
//! The map, arrows pointing down only: `replica → {raft, state, wal}` · `state → command → {store, lease}`, `state → auth` ·
//! `command → query → {view, store}` · `checkpoint → {raft, state, wal, view}` · `watch → view` · `store → tree`. `raft` sees entries as bytes and never looks inside;
//! `store` does not know that Raft exists; `watch` and `query` do not know the replica exists.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

pub mod auth;
pub mod checkpoint;
pub mod command;
pub mod config;
pub mod crc32c;
pub mod effect;
pub mod id;
pub mod input;
pub mod json;
pub mod key;
pub mod lease;
pub mod note;
pub mod plant;
pub mod query;
pub mod quota;
pub mod raft;
pub mod refusal;
pub mod replica;
pub mod rng;
pub mod state;
pub mod store;
pub mod time;
pub mod urls;
pub mod version;
pub mod view;
pub mod wal;
pub mod watch;

pub use config::{Config, Member};
pub use effect::{Effect, Effects, Outcome, Reply};
pub use id::{ClusterId, MemberId, Ticket};
pub use input::{Input, MemberChange, Order, Shipment};
pub use key::KeyRange;
pub use note::Note;
pub use plant::{Plant, Plants};
pub use refusal::{Code, Refusal};
pub use replica::Replica;
pub use rng::Rng;
pub use time::{Moment, Span};
pub use view::{Edition, Standing, View};
