//! `put`: writes a key.

use std::ffi::OsString;
use std::io::Read as _;
use std::os::unix::ffi::OsStringExt as _;

use clap::Args;
use detcd_proto::etcdserverpb::PutRequest;

use super::cli::Context;
use super::client::{Client, Patience};
use super::exit::Exit;
use super::go;
use super::print::Reply;

const AFTER_HELP: &str = "\
Without a value, the value is all of standard input, the last newline included:
  etcdctl put config < config.yaml

A value that begins with '-' needs a '--' before it:
  etcdctl put key -- -1

Examples:
  etcdctl put foo bar
  etcdctl put foo bar --lease 694d5765fc71500b    gone when the lease is
  etcdctl put foo bar --prev-kv                   shows what was there
  etcdctl put foo --ignore-value --lease 0        keeps the value, drops the lease";

/// Writes a key
#[derive(Args, Clone, Debug)]
#[command(after_help = AFTER_HELP, override_usage = "etcdctl put [options] <key> [value]")]
pub struct PutArgs {
    /// The key and the value
    #[arg(value_name = "KEY")]
    words: Vec<OsString>,
    /// ID of the lease to attach the key to, in hexadecimal
    #[arg(long, default_value = "0", value_name = "ID")]
    lease: String,
    /// Show the pair that was there before
    #[arg(long)]
    prev_kv: bool,
    /// Keep the value and change only the lease
    #[arg(long)]
    ignore_value: bool,
    /// Keep the lease and change only the value
    #[arg(long)]
    ignore_lease: bool,
}

impl PutArgs {
    pub async fn run(self, context: &Context) -> Result<(), Exit> {
        let request = self.request(|| {
            let mut value = Vec::new();
            std::io::stdin().lock().read_to_end(&mut value).ok()?;
            Some(value)
        })?;
        let settings = context.settle()?;
        let mut client = Client::open(&settings, Patience::Command).await?;
        let response = client.put(request).await?;
        settings.printer.print(Reply::Put(&response))
    }

    /// The request the arguments mean; `input` gives the value that is not among them. `txn` reads its `put` lines
    /// with this too.
    pub fn request(&self, input: impl FnOnce() -> Option<Vec<u8>>) -> Result<PutRequest, Exit> {
        const USAGE: &str = "put command needs 1 argument and input from stdin or 2 arguments";
        let Some(key) = self.words.first() else { return Err(Exit::bad_args(USAGE)) };
        if self.ignore_value && self.words.len() > 1 {
            return Err(Exit::bad_args("put command needs only 1 argument when 'ignore-value' is set"));
        }
        let value = match self.words.get(1) {
            _ if self.ignore_value => Vec::new(),
            Some(value) => value.clone().into_vec(),
            None => input().filter(|value| !value.is_empty()).ok_or_else(|| Exit::bad_args(USAGE))?,
        };
        let lease = go::parse_int(&self.lease, 16)
            .map_err(|error| Exit::bad_args(format!("bad lease ID ({error}), expecting ID in Hex")))?;
        Ok(PutRequest {
            key: key.clone().into_vec().into(),
            value: value.into(),
            lease,
            prev_kv: self.prev_kv,
            ignore_value: self.ignore_value,
            ignore_lease: self.ignore_lease,
        })
    }
}
