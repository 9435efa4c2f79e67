//! `endpoint hashkv`: a hash of every endpoint's keyspace. Members that agree on the log agree on it.

use std::ffi::OsString;

use clap::Args;
use detcd_proto::etcdserverpb::HashKvRequest;

use crate::ctl::exit::Exit;
use crate::ctl::globals::Settings;
use crate::ctl::print::Reply;

/// A hash of every endpoint's keyspace and its history
#[derive(Args, Debug)]
pub struct HashKvArgs {
    /// Up to this revision; 0 means the newest
    #[arg(long, default_value = "0", value_name = "N")]
    rev: i64,
    #[arg(hide = true)]
    words: Vec<OsString>,
}

impl HashKvArgs {
    pub async fn run(self, settings: &Settings, endpoints: Vec<String>) -> Result<(), Exit> {
        let mut list = Vec::new();
        let mut last_fault = None;
        for endpoint in endpoints {
            let mut client = super::open(settings, &endpoint).await?;
            match client.hash_kv(HashKvRequest { revision: self.rev }).await {
                Ok(response) => list.push((endpoint, response)),
                Err(fault) => {
                    eprintln!("Failed to get the hash of endpoint {endpoint} ({fault})");
                    last_fault = Some(fault);
                }
            }
        }
        settings.printer.print(Reply::HashKv(&list))?;
        last_fault.map_or(Ok(()), |fault| Err(fault.into()))
    }
}
