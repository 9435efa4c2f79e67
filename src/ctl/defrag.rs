//! `defrag`: has every endpoint give freed space back.

use std::ffi::OsString;
use std::time::Instant;

use clap::Args;

use super::cli::Context;
use super::endpoint;
use super::exit::Exit;
use super::{go, print};

/// Gives freed space back to the file system, on every endpoint
#[derive(Args, Debug)]
pub struct DefragArgs {
    /// On all members of the cluster, not only those of --endpoints
    #[arg(long)]
    cluster: Option<bool>,
    #[arg(hide = true)]
    words: Vec<OsString>,
}

impl DefragArgs {
    pub async fn run(self, context: &Context) -> Result<(), Exit> {
        let settings = context.settle()?;
        let mut failed = false;
        for endpoint in endpoint::chosen(&settings, self.cluster).await? {
            let mut client = endpoint::open(&settings, &endpoint).await?;
            let start = Instant::now();
            let answer = client.defragment().await;
            let took = go::format_duration(start.elapsed());
            match answer {
                Ok(()) => {
                    let text = format!("Finished defragmenting etcd member[{endpoint}]. took {took}\n");
                    print::write_out(text.as_bytes())?;
                }
                Err(fault) => {
                    eprintln!("Failed to defragment etcd member[{endpoint}]. took {took}. ({fault})");
                    failed = true;
                }
            }
        }
        if failed { Err(Exit::silent(1)) } else { Ok(()) }
    }
}
