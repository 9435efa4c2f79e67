//! `watch`: shows changes of keys as they happen, or runs a command for each.

mod words;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

use bytes::Bytes;
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser};
use detcd_proto::etcdserverpb::WatchCreateRequest;
use detcd_proto::mvccpb::Event;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use self::words::Target;
use super::cli::{Context, complaint, relax};
use super::client::{Client, Patience, Update, WatchReply, Watches};
use super::exit::Exit;
use super::print::{Printer, Reply, write_out};
use super::range::KeySpan;
use super::{client, go};

const AFTER_HELP: &str = "\
Shows PUT or DELETE, the key and the value of every change. Ends when it is interrupted or the server ends it.

A command behind `--` runs once for each change, with ETCD_WATCH_REVISION, ETCD_WATCH_EVENT_TYPE, ETCD_WATCH_KEY and \
ETCD_WATCH_VALUE in its environment (type, key and value in quotes). ETCDCTL_WATCH_KEY and ETCDCTL_WATCH_RANGE_END can \
stand in for the key and the end of the range.

With -i, lines of standard input open watches on one stream: `watch [options] key [range_end] [-- command]`, and \
`progress` asks how far the server got.

Examples:
  etcdctl watch foo
  etcdctl watch --prefix /jobs/ --rev 1 --prev-kv
  etcdctl watch --prefix /jobs/ -- sh -c 'echo $ETCD_WATCH_EVENT_TYPE $ETCD_WATCH_KEY'";

/// Shows changes of keys as they happen
#[derive(Args, Clone, Debug)]
#[command(after_help = AFTER_HELP,
          override_usage = "etcdctl watch [options] [key or prefix] [range_end] [--] [command [argument…]]")]
pub struct WatchArgs {
    /// The key, and where the range ends
    #[arg(value_name = "KEY")]
    words: Vec<OsString>,
    /// What to run for each change
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
    /// Take watches from standard input
    #[arg(short, long)]
    interactive: bool,
    /// All keys that start with the key; the empty key means all keys
    #[arg(long)]
    prefix: bool,
    /// Start with the changes of this revision; 0 means with the next change
    #[arg(long, default_value = "0", value_name = "N")]
    rev: i64,
    /// Show the pair as it was before the change, too
    #[arg(long)]
    prev_kv: bool,
    /// Have the server say from time to time how far it is
    #[arg(long)]
    progress_notify: bool,
}

/// A line of `watch -i`.
#[derive(Parser)]
#[command(no_binary_name = true)]
struct Line {
    #[command(flatten)]
    args: WatchArgs,
}

impl WatchArgs {
    pub async fn run(self, context: &Context) -> Result<(), Exit> {
        let fallback = Fallback::from_env()?;
        if self.interactive {
            return interactive(self, &fallback, context).await;
        }
        // Only what stands behind the command's own name matters.
        let typed = context.words.iter().skip_while(|word| *word != "watch").skip(1);
        let has_dashes = typed.clone().any(|word| word == "--");
        let target = fallback.target(&self, has_dashes, typed.count() == 0)?;
        let settings = context.settle()?;
        let client = Client::open(&settings, Patience::Forever).await?;
        let request = self.request(&target.words).map_err(Exit::bad_args)?;
        let mut watches = Watches::open(client);
        watches.watch(request);
        while let Some((_, Update::Reply(reply))) = watches.next().await {
            show(&reply, &settings.printer, &target.command).await?;
        }
        Err(Exit::interrupted("watch is canceled by the server"))
    }

    /// The request for a key and maybe the end of a range. More words are ignored, as etcdctl does.
    fn request(&self, words: &[OsString]) -> Result<WatchCreateRequest, String> {
        let mut words = words.iter().map(|word| Bytes::from(word.clone().into_vec()));
        let Some(key) = words.next() else { return Err("bad number of arguments".to_owned()) };
        let end = words.next().filter(|_| words.next().is_none());
        if end.is_some() && self.prefix {
            return Err("`range_end` and `--prefix` are mutually exclusive".to_owned());
        }
        let span = if self.prefix { KeySpan::prefix(key) } else { KeySpan::between(key, end) };
        Ok(WatchCreateRequest {
            key: span.key,
            range_end: span.end,
            start_revision: self.rev,
            progress_notify: self.progress_notify,
            prev_kv: self.prev_kv,
            ..WatchCreateRequest::default()
        })
    }
}

/// Reads lines and shows changes until standard input ends. A watcher that is over does not end the others.
async fn interactive(first: WatchArgs, fallback: &Fallback, context: &Context) -> Result<(), Exit> {
    let settings = context.settle()?;
    let mut watches = Watches::open(Client::open(&settings, Patience::Forever).await?);
    let mut commands: Vec<Vec<OsString>> = Vec::new();
    let mut lines = BufReader::new(tokio::io::stdin()).split(b'\n');
    loop {
        tokio::select! {
            line = lines.next_segment() => {
                let Some(line) = line.map_err(Exit::invalid_input)? else {
                    return Err(Exit::invalid_input("error reading watch request line: EOF"));
                };
                if let Some(order) = parse_line(&line, &first, fallback)? {
                    match order {
                        LineOrder::Watch(request, command) => {
                            commands.push(command);
                            watches.watch(request);
                        }
                        LineOrder::Progress => watches.progress(),
                    }
                }
            }
            Some((number, update)) = watches.next() => {
                if let Update::Reply(reply) = update {
                    show(&reply, &settings.printer, &commands[number]).await?;
                }
            }
        }
    }
}

enum LineOrder {
    Watch(WatchCreateRequest, Vec<OsString>),
    Progress,
}

/// What a line of `watch -i` asks for; `None` if it makes no sense, which standard error is told.
fn parse_line(line: &[u8], first: &WatchArgs, fallback: &Fallback) -> Result<Option<LineOrder>, Exit> {
    let text = String::from_utf8_lossy(line);
    let words = go::split_words(line).map_err(Exit::invalid_input)?;
    match words.first().map(Vec::as_slice) {
        None => eprintln!("Invalid command: {text} (watch and progress supported)"),
        Some(b"progress") => return Ok(Some(LineOrder::Progress)),
        Some(b"watch") if words.len() < 2 && fallback.key.is_none() => {
            eprintln!("Invalid command {text} (command type or key is not provided)");
        }
        Some(b"watch") => {
            let words: Vec<OsString> = words.into_iter().skip(1).map(OsString::from_vec).collect();
            let parsed = relax(Line::command())
                .try_get_matches_from(&words)
                .and_then(|matches| Line::from_arg_matches(&matches));
            let mut args = parsed.map_err(|error| Exit::bad_args(complaint("etcdctl", &error)))?.args;
            // The flag of the command line stays in force for its lines.
            args.progress_notify |= first.progress_notify;
            let target = fallback.target(&args, words.iter().any(|word| word == "--"), words.is_empty())?;
            match args.request(&target.words) {
                Ok(request) => return Ok(Some(LineOrder::Watch(request, target.command))),
                Err(why) => eprintln!("Invalid command {text} ({why})"),
            }
        }
        Some(_) => eprintln!("Invalid command {text} (only support watch)"),
    }
    Ok(None)
}

/// Shows one reply and runs the command for each of its events.
async fn show(reply: &WatchReply, printer: &Printer, command: &[OsString]) -> Result<(), Exit> {
    if reply.canceled {
        let why = reply.error.as_deref().unwrap_or(client::fault::FUTURE_REVISION);
        eprintln!("watch was canceled ({why})");
    }
    if reply.is_progress() {
        write_out(format!("progress notify: {}\n", reply.header.revision).as_bytes())?;
    }
    printer.print(Reply::Watch(reply))?;
    if let Some((program, arguments)) = command.split_first() {
        for event in reply.events.iter().flatten() {
            run_for(event, reply.header.revision, program, arguments).await?;
        }
    }
    Ok(())
}

async fn run_for(event: &Event, revision: i64, program: &OsStr, arguments: &[OsString]) -> Result<(), Exit> {
    let kv = event.kv.clone().unwrap_or_default();
    // Go quotes the type by its number's text where it has no string of its own; this one has.
    let variables = BTreeMap::from([
        ("ETCD_WATCH_REVISION", revision.to_string()),
        ("ETCD_WATCH_EVENT_TYPE", go::quote(event.r#type().as_str_name().as_bytes())),
        ("ETCD_WATCH_KEY", go::quote(&kv.key)),
        ("ETCD_WATCH_VALUE", go::quote(&kv.value)),
    ]);
    let ended = tokio::process::Command::new(program).args(arguments).envs(variables).status().await;
    let why = match ended {
        Ok(status) if status.success() => return Ok(()),
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    };
    let shown: Vec<String> = std::iter::once(program)
        .chain(arguments.iter().map(OsString::as_os_str))
        .map(|word| go::quote(word.as_bytes()))
        .collect();
    eprintln!("command [{}] error ({why})", shown.join(" "));
    Err(Exit::silent(1))
}

/// The key and range of the environment.
#[derive(Debug, Default)]
struct Fallback {
    key: Option<OsString>,
    range_end: Option<OsString>,
}

impl Fallback {
    fn from_env() -> Result<Fallback, Exit> {
        let read = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let fallback =
            Fallback { key: read("ETCDCTL_WATCH_KEY"), range_end: read("ETCDCTL_WATCH_RANGE_END") };
        match &fallback.range_end {
            Some(end) if fallback.key.is_none() => Err(Exit::bad_args(format!(
                "ETCDCTL_WATCH_KEY is empty but got ETCDCTL_WATCH_RANGE_END={}",
                go::quote(end.as_bytes())
            ))),
            _ => Ok(fallback),
        }
    }

    fn target(&self, args: &WatchArgs, has_dashes: bool, is_bare: bool) -> Result<Target, Exit> {
        words::target(args.words.clone(), args.command.clone(), has_dashes, is_bare, self)
            .map_err(Exit::bad_args)
    }
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
