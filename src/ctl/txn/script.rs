//! The three blocks of a transaction, read line by line.

use std::ffi::OsString;
use std::io::BufRead;
use std::os::unix::ffi::OsStringExt as _;

use clap::{CommandFactory as _, FromArgMatches as _, Parser};
use detcd_proto::etcdserverpb::request_op::Request;
use detcd_proto::etcdserverpb::{RequestOp, TxnRequest};

use super::compare;
use crate::ctl::cli::relax;
use crate::ctl::del::DelArgs;
use crate::ctl::exit::Exit;
use crate::ctl::get::GetArgs;
use crate::ctl::put::PutArgs;
use crate::ctl::{go, print};

/// Reads the whole transaction. With `prompts`, standard output says which block comes next.
pub async fn read(input: &mut impl BufRead, prompts: bool) -> Result<TxnRequest, Exit> {
    let prompt = |text: &str| if prompts { print::write_out(text.as_bytes()) } else { Ok(()) };
    let mut request = TxnRequest::default();
    prompt("compares:\n")?;
    while let Some(line) = next_line(input)? {
        request.compare.push(compare::parse(&line)?);
    }
    prompt("success requests (get, put, del):\n")?;
    while let Some(line) = next_line(input)? {
        request.success.push(parse_request(&line).await?);
    }
    prompt("failure requests (get, put, del):\n")?;
    while let Some(line) = next_line(input)? {
        request.failure.push(parse_request(&line).await?);
    }
    Ok(request)
}

/// The next line without blanks around it; `None` for the empty line that ends a block. A block must be ended: half a
/// transaction must not run because a file was cut.
fn next_line(input: &mut impl BufRead) -> Result<Option<Vec<u8>>, Exit> {
    let mut line = Vec::new();
    input.read_until(b'\n', &mut line).map_err(Exit::invalid_input)?;
    if line.last() != Some(&b'\n') {
        return Err(Exit::invalid_input("EOF"));
    }
    let line = line.trim_ascii();
    Ok((!line.is_empty()).then(|| line.to_vec()))
}

#[derive(Parser)]
#[command(no_binary_name = true)]
enum Line {
    Get(GetArgs),
    Put(PutArgs),
    Del(DelArgs),
}

/// Reads one request: the words of `get`, `put` or `del` as they stand on a command line.
async fn parse_request(line: &[u8]) -> Result<RequestOp, Exit> {
    let text = String::from_utf8_lossy(line);
    let words = go::split_words(line).map_err(Exit::invalid_input)?;
    if words.len() < 2 {
        return Err(Exit::invalid_input(format!("invalid txn compare request: {text}")));
    }
    let words = words.into_iter().map(OsString::from_vec);
    let parsed = relax(Line::command())
        .try_get_matches_from(words)
        .and_then(|matches| Line::from_arg_matches(&matches));
    let request = match parsed {
        Ok(Line::Get(args)) => Request::RequestRange(args.request()?),
        // Standard input holds the transaction, so there is no value to be had from it.
        Ok(Line::Put(args)) => Request::RequestPut(args.request(|| None)?),
        Ok(Line::Del(args)) => Request::RequestDeleteRange(args.request().await?),
        Err(_) => return Err(Exit::invalid_input(format!("invalid txn request: {text}"))),
    };
    Ok(RequestOp { request: Some(request) })
}
