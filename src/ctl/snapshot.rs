//! `snapshot`: saves everything a member stores to a file. What such a file says and how to begin from it is etcdutl's.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::cli::Context;
use super::client::{Client, Patience, SnapshotStream};
use super::exit::Exit;
use super::print;

/// Saves the keyspace of a member to a file
#[derive(Debug, Subcommand)]
pub enum SnapshotCommand {
    Save(SaveArgs),
    #[command(external_subcommand)]
    #[expect(dead_code, reason = "clap wants a place for the words")]
    Unknown(Vec<OsString>),
}

/// Saves everything that one member stores to a file, with a digest behind it
///
/// Waits as long as it takes unless --command-timeout is given.
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl snapshot save [options] <file>")]
pub struct SaveArgs {
    #[arg(value_name = "FILE")]
    words: Vec<OsString>,
}

impl SnapshotCommand {
    pub async fn run(self, context: &Context) -> Result<(), Exit> {
        match self {
            SnapshotCommand::Save(args) => args.run(context).await,
            SnapshotCommand::Unknown(_) => context.show_help("snapshot"),
        }
    }
}

/// Of the file's blocks, and of the digest behind them, in bytes.
const SECTOR: u64 = 512;
const DIGEST: u64 = 32;

impl SaveArgs {
    async fn run(self, context: &Context) -> Result<(), Exit> {
        let [file] = self.words.as_slice() else {
            return Err(Exit::bad_args("snapshot save expects one argument"));
        };
        let settings = context.settle()?;
        let [_] = settings.endpoints.as_slice() else {
            let all = settings.endpoints.join(" ");
            return Err(Exit::interrupted(format!(
                "snapshot must be requested to one selected node, not multiple [{all}]"
            )));
        };
        let patience = if settings.is_timeout_given { Patience::Command } else { Patience::Forever };
        let mut client = Client::open(&settings, patience).await?;
        let path = PathBuf::from(file);
        let version = save(&mut client, &path).await?;
        let mut text = format!("Snapshot saved at {}\n", path.display());
        if !version.is_empty() {
            text += &format!("Server version {version}\n");
        }
        print::write_out(text.as_bytes())
    }
}

/// Nobody sees the file before all of it is on disk.
async fn save(client: &mut Client, path: &Path) -> Result<String, Exit> {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part);
    let file = file.map_err(|error| {
        Exit::interrupted(format!("could not open {} ({})", part.display(), words(&part, "open", &error)))
    })?;
    let saved = fill(client, file).await.and_then(|version| {
        fs::rename(&part, path).map_err(|error| {
            let (from, to) = (part.display(), path.display());
            Exit::interrupted(format!("could not rename {from} to {to} ({error})"))
        })?;
        Ok(version)
    });
    match saved {
        Ok(version) => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all())?;
            Ok(version)
        }
        Err(exit) => {
            // The failure is what is told; a part that stays is in nobody's way.
            fs::remove_file(&part).ok();
            Err(exit)
        }
    }
}

/// The server's version, if it says one.
async fn fill(client: &mut Client, mut file: File) -> Result<String, Exit> {
    let mut stream: SnapshotStream = client.snapshot().await.map_err(Exit::interrupted)?;
    let mut version = String::new();
    let mut bytes = 0u64;
    while let Some(piece) = stream.next().await.map_err(Exit::interrupted)? {
        if bytes == 0 {
            version = piece.version;
        }
        bytes += piece.blob.len() as u64;
        file.write_all(&piece.blob).map_err(Exit::interrupted)?;
    }
    if bytes % SECTOR != DIGEST {
        return Err(Exit::interrupted(format!("sha256 checksum not found [bytes: {bytes}]")));
    }
    file.sync_all().map_err(Exit::interrupted)?;
    Ok(version)
}

/// As Go tells what went wrong with a file.
fn words(path: &Path, doing: &str, error: &io::Error) -> String {
    let why = match error.kind() {
        io::ErrorKind::NotFound => "no such file or directory".to_string(),
        io::ErrorKind::PermissionDenied => "permission denied".to_string(),
        io::ErrorKind::IsADirectory => "is a directory".to_string(),
        _ => error.to_string(),
    };
    format!("{doing} {}: {why}", path.display())
}
