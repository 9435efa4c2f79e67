//! `endpoint status`: version, size, leader, term and indices of every endpoint.

use std::ffi::OsString;

use clap::Args;

use crate::ctl::exit::Exit;
use crate::ctl::globals::Settings;
use crate::ctl::print::Reply;

/// Version, size, leader, term and indices of every endpoint
///
/// The simple format gives: endpoint, ID, version, storage version, size of the data, of it in use, share not in use,
/// quota, is leader, is learner, raft term, raft index, applied index, errors, downgrade target, downgrade enabled.
#[derive(Args, Debug)]
pub struct StatusArgs {
    #[arg(hide = true)]
    words: Vec<OsString>,
}

pub async fn run(settings: &Settings, endpoints: Vec<String>) -> Result<(), Exit> {
    let mut list = Vec::new();
    let mut failed = false;
    for endpoint in endpoints {
        let mut client = super::open(settings, &endpoint).await?;
        match client.status().await {
            Ok(response) => list.push((endpoint, response)),
            Err(fault) => {
                failed = true;
                eprintln!("Failed to get the status of endpoint {endpoint} ({fault})");
            }
        }
    }
    settings.printer.print(Reply::Status(&list))?;
    if failed { Err(Exit::silent(1)) } else { Ok(()) }
}
