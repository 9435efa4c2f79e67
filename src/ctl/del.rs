//! `del`: removes a key or a range of keys.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use detcd_proto::etcdserverpb::DeleteRangeRequest;

use super::cli::Context;
use super::client::{Client, Patience};
use super::exit::Exit;
use super::go;
use super::print::Reply;
use super::range::KeySpan;

/// How long whoever forgot `--range` has to change their mind.
const GRACE: Duration = Duration::from_secs(2);

const AFTER_HELP: &str = "\
Prints how many keys went.

Examples:
  etcdctl del foo
  etcdctl del --prefix /old/ --prev-kv   shows what was there
  etcdctl del --range a m                all keys from a up to, but without, m
  etcdctl del --prefix \"\"                everything";

/// Removes a key or a range of keys
#[derive(Args, Clone, Debug)]
#[command(after_help = AFTER_HELP, override_usage = "etcdctl del [options] <key> [range_end]")]
pub struct DelArgs {
    /// The key, and where the range ends
    #[arg(value_name = "KEY")]
    words: Vec<OsString>,
    /// All keys that start with the key; the empty key means all keys
    #[arg(long)]
    prefix: bool,
    /// All keys from the key on
    #[arg(long)]
    from_key: bool,
    /// Show the pairs that were there
    #[arg(long)]
    prev_kv: bool,
    /// Yes, a range is meant: no two seconds to think about it
    #[arg(long)]
    range: bool,
}

impl DelArgs {
    pub async fn run(self, context: &Context) -> Result<(), Exit> {
        let request = self.request().await?;
        let settings = context.settle()?;
        let mut client = Client::open(&settings, Patience::Command).await?;
        let response = client.delete_range(request).await?;
        settings.printer.print(Reply::Del(&response))
    }

    /// The request the arguments mean, after a pause if they may be a mistake. `txn` reads its `del` lines with this
    /// too.
    pub async fn request(&self) -> Result<DeleteRangeRequest, Exit> {
        let span = self.span()?;
        if self.words.len() > 1 && !self.range {
            let quoted = |bytes: &Bytes| go::quote(bytes);
            eprintln!(
                "Warning: Keys between {} and {} will be deleted. Please interrupt the command within next 2 seconds \
                 to cancel. You can provide `--range` flag to avoid the delay.",
                quoted(&span.key),
                quoted(&span.end)
            );
            tokio::time::sleep(GRACE).await;
        }
        Ok(DeleteRangeRequest { key: span.key, range_end: span.end, prev_kv: self.prev_kv })
    }

    fn span(&self) -> Result<KeySpan, Exit> {
        let words: Vec<Bytes> = self.words.iter().map(|word| word.clone().into_vec().into()).collect();
        let (key, end) = match words.as_slice() {
            [key] => (key.clone(), None),
            [key, end] => (key.clone(), Some(end.clone())),
            _ => {
                return Err(Exit::bad_args(
                    "del command needs one argument as key and an optional argument as range_end",
                ));
            }
        };
        if self.prefix && self.from_key {
            return Err(Exit::bad_args(
                "`--prefix` and `--from-key` cannot be set at the same time, choose one",
            ));
        }
        KeySpan::chosen(key, end, self.prefix, self.from_key)
    }
}
