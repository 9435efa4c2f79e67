//! `get`: reads a key or a range of keys.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use bytes::Bytes;
use clap::Args;
use detcd_proto::etcdserverpb::RangeRequest;
use detcd_proto::etcdserverpb::range_request::{SortOrder, SortTarget};

use super::cli::Context;
use super::client::{Client, Patience};
use super::exit::Exit;
use super::go;
use super::print::{Format, Reply};
use super::range::KeySpan;

const AFTER_HELP: &str = "\
Examples:
  etcdctl get foo                      the key and its value, on two lines
  etcdctl get foo --print-value-only   the value alone
  etcdctl get a m                      all keys from a up to, but without, m
  etcdctl get --prefix /registry/      all keys that start so
  etcdctl get --prefix \"\" --keys-only  all keys
  etcdctl get foo --rev 12             what it was at revision 12
  etcdctl get foo -w json              with revisions, version and lease";

/// Reads a key or a range of keys
#[derive(Args, Clone, Debug)]
#[command(after_help = AFTER_HELP, override_usage = "etcdctl get [options] <key> [range_end]")]
pub struct GetArgs {
    /// The key, and where the range ends
    #[arg(value_name = "KEY")]
    words: Vec<OsString>,
    /// All keys that start with the key; the empty key means all keys
    #[arg(long)]
    prefix: bool,
    /// All keys from the key on
    #[arg(long)]
    from_key: bool,
    /// Read at this revision instead of the newest
    #[arg(long, default_value = "0", value_name = "N")]
    rev: i64,
    /// At most so many keys; 0 means all
    #[arg(long, default_value = "0", value_name = "N")]
    limit: i64,
    /// ASCEND or DESCEND
    #[arg(long, default_value = "", hide_default_value = true)]
    order: String,
    /// CREATE, KEY, MODIFY, VALUE or VERSION
    #[arg(long, default_value = "", hide_default_value = true)]
    sort_by: String,
    /// l: linearizable, sees every write that was answered; s: serializable, whatever this member has
    #[arg(long, default_value = "l")]
    consistency: String,
    /// Keys without values
    #[arg(long)]
    keys_only: bool,
    /// Only how many there are (needs -w fields)
    #[arg(long)]
    count_only: bool,
    /// Values without keys (needs -w simple)
    #[arg(long)]
    print_value_only: bool,
    /// Only keys created at this revision or later
    #[arg(long, default_value = "0", value_name = "N")]
    min_create_rev: i64,
    /// Only keys created at this revision or earlier
    #[arg(long, default_value = "0", value_name = "N")]
    max_create_rev: i64,
    /// Only keys changed at this revision or later
    #[arg(long, default_value = "0", value_name = "N")]
    min_mod_rev: i64,
    /// Only keys changed at this revision or earlier
    #[arg(long, default_value = "0", value_name = "N")]
    max_mod_rev: i64,
    /// Have the answer sent in pieces (servers from 3.7 on)
    #[arg(long)]
    stream: bool,
}

impl GetArgs {
    pub async fn run(self, context: &Context) -> Result<(), Exit> {
        let request = self.request()?;
        let mut printer = context.settle()?;
        let mut client = Client::open(&printer, Patience::Command).await?;
        let response =
            if self.stream { client.range_stream(request).await? } else { client.range(request).await? };
        if self.count_only && printer.printer.format != Format::Fields {
            return Err(Exit::bad_args("--count-only is only for `--write-out=fields`"));
        }
        if self.print_value_only {
            if printer.printer.format != Format::Simple {
                return Err(Exit::bad_args("print-value-only is only for `--write-out=simple`"));
            }
            printer.printer.value_only = true;
        }
        printer.printer.print(Reply::Get(&response))
    }

    /// The request the arguments mean. `txn` reads its `get` lines with this too.
    pub fn request(&self) -> Result<RangeRequest, Exit> {
        let span = self.span()?;
        let serializable = parse_consistency(&self.consistency)?;
        let (sort_target, sort_order) = self.sorting()?;
        let bounds = [
            ("getMinCreateRev", self.min_create_rev, "getMaxCreateRev", self.max_create_rev),
            ("getMinModRev", self.min_mod_rev, "getMaxModRev", self.max_mod_rev),
        ];
        for (min_name, min, max_name, max) in bounds {
            if max > 0 && min > max {
                return Err(Exit::bad_feature(format!("{min_name}(={min}) > {max_name}(={max})")));
            }
        }
        Ok(RangeRequest {
            key: span.key,
            range_end: span.end,
            limit: self.limit,
            revision: self.rev.max(0),
            sort_order: sort_order.into(),
            sort_target: sort_target.into(),
            serializable,
            keys_only: self.keys_only,
            count_only: self.count_only,
            min_mod_revision: self.min_mod_rev.max(0),
            max_mod_revision: self.max_mod_rev.max(0),
            min_create_revision: self.min_create_rev.max(0),
            max_create_revision: self.max_create_rev.max(0),
        })
    }

    fn span(&self) -> Result<KeySpan, Exit> {
        let mut words = self.words.iter().map(|word| Bytes::from(word.clone().into_vec()));
        let Some(key) = words.next() else {
            return Err(Exit::bad_args(
                "get command needs one argument as key and an optional argument as range_end",
            ));
        };
        if self.prefix && self.from_key {
            return Err(Exit::bad_args(
                "`--prefix` and `--from-key` cannot be set at the same time, choose one",
            ));
        }
        if self.keys_only && self.count_only {
            return Err(Exit::bad_args(
                "`--keys-only` and `--count-only` cannot be set at the same time, choose one",
            ));
        }
        let end = words.next();
        KeySpan::chosen(key, end, self.prefix, self.from_key)
    }

    fn sorting(&self) -> Result<(SortTarget, SortOrder), Exit> {
        let order = match self.order.to_uppercase().as_str() {
            "ASCEND" => SortOrder::Ascend,
            "DESCEND" => SortOrder::Descend,
            "" => SortOrder::None,
            _ => return Err(Exit::bad_feature(format!("bad sort order {}", self.order))),
        };
        let target = match self.sort_by.to_uppercase().as_str() {
            "CREATE" => SortTarget::Create,
            "KEY" | "" => SortTarget::Key,
            "MODIFY" => SortTarget::Mod,
            "VALUE" => SortTarget::Value,
            "VERSION" => SortTarget::Version,
            _ => return Err(Exit::bad_feature(format!("bad sort target {}", self.sort_by))),
        };
        // Keys come in ascending order anyway; asking for it would make the server read the whole range first.
        let is_natural = target == SortTarget::Key && order == SortOrder::Ascend;
        Ok((target, if is_natural { SortOrder::None } else { order }))
    }
}

/// `l` or `s`; the answer is whether the read is serializable.
pub fn parse_consistency(text: &str) -> Result<bool, Exit> {
    match text {
        "s" => Ok(true),
        "l" => Ok(false),
        _ => Err(Exit::bad_feature(format!("unknown consistency flag {}", go::quote(text.as_bytes())))),
    }
}
