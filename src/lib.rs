//! The programs: `etcd`, `etcdctl` and `etcdutl` are a line each; what they do is here.

pub mod config;
pub mod ctl;
pub mod logging;
pub mod run;
pub mod server;
