//! `lease timetolive`: how long a lease still lasts.

use std::ffi::OsString;

use clap::Args;
use detcd_proto::etcdserverpb::LeaseTimeToLiveRequest;

use crate::ctl::cli::Context;
use crate::ctl::client::{Client, Patience};
use crate::ctl::exit::Exit;
use crate::ctl::print::Reply;

/// Shows how long a lease still lasts
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl lease timetolive [options] <lease id>")]
pub struct TimeToLiveArgs {
    /// The lease's ID in hexadecimal
    #[arg(value_name = "ID")]
    words: Vec<OsString>,
    /// Also the keys attached to it
    #[arg(long)]
    keys: bool,
}

impl TimeToLiveArgs {
    pub async fn run(self, context: &Context) -> Result<(), Exit> {
        let [word] = self.words.as_slice() else {
            return Err(Exit::bad_args("lease timetolive command needs lease ID as argument"));
        };
        let settings = context.settle()?;
        let mut client = Client::open(&settings, Patience::Forever).await?;
        let request = LeaseTimeToLiveRequest { id: super::parse_id(word)?, keys: self.keys };
        let response = client.lease_time_to_live(request).await.map_err(Exit::bad_connection)?;
        settings.printer.print(Reply::TimeToLive { response: &response, with_keys: self.keys })
    }
}
