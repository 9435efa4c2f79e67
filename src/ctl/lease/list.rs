//! `lease list`: all leases.

use std::ffi::OsString;

use clap::Args;

use crate::ctl::cli::Context;
use crate::ctl::client::{Client, Patience};
use crate::ctl::exit::Exit;
use crate::ctl::print::Reply;

/// Lists all leases
#[derive(Args, Debug)]
pub struct ListArgs {
    #[arg(hide = true)]
    words: Vec<OsString>,
}

pub async fn run(context: &Context) -> Result<(), Exit> {
    let settings = context.settle()?;
    let mut client = Client::open(&settings, Patience::Forever).await?;
    let response = client.lease_leases().await.map_err(Exit::bad_connection)?;
    settings.printer.print(Reply::Leases(&response))
}
