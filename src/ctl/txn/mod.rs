//! `txn`: several reads and writes as one. Conditions and requests come from standard input.

mod compare;
mod script;

#[cfg(test)]
mod tests;

use std::ffi::OsString;

use clap::Args;

use super::cli::Context;
use super::client::{Client, Patience};
use super::exit::Exit;
use super::print::Reply;

const AFTER_HELP: &str = "\
Reads three blocks of lines from standard input, each ended by an empty line: conditions, what to do if all of them \
hold, what to do otherwise. With -i it says which block comes next.

A condition compares something of a key with a value in quotes:
  mod(\"key\") > \"0\"        when it was changed last; also m
  create(\"key\") = \"0\"     when it was created, 0 if it is not there; also c
  version(\"key\") = \"1\"    how often it was written since; also ver
  value(\"key\") = \"bar\"    its value; also val
  lease(\"key\") != \"0\"     its lease, in hexadecimal
with =, !=, < or >. The requests are put, get and del as on the command line.

Example: create a key only if it is not there
  etcdctl txn <<'END'
  create(\"key\") = \"0\"

  put key \"created\"

  get key

  END";

/// Several reads and writes as one, under conditions
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct TxnArgs {
    /// Say which block comes next
    #[arg(short, long)]
    interactive: bool,
    #[arg(hide = true)]
    words: Vec<OsString>,
}

impl TxnArgs {
    pub async fn run(self, context: &Context) -> Result<(), Exit> {
        if !self.words.is_empty() {
            return Err(Exit::bad_args("txn command does not accept argument"));
        }
        let settings = context.settle()?;
        let mut client = Client::open(&settings, Patience::Forever).await?;
        let request = script::read(&mut std::io::stdin().lock(), self.interactive).await?;
        let response = client.txn(request).await?;
        settings.printer.print(Reply::Txn(&response))
    }
}
