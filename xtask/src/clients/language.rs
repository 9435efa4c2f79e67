//! What each language needs: its tools, how its programs are built below target/clients, and how they are started.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

use clap::ValueEnum;

use super::{PREPARE_MAX, process};
use crate::Failure;

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Language {
    Go,
    Python,
}

/// One client's program, ready to be started with an endpoint.
pub struct Program {
    pub client: &'static str,
    pub command: Command,
}

impl Language {
    pub const ALL: &'static [Language] = &[Language::Go, Language::Python];

    /// Also the name of its folder in tests/clients.
    pub fn name(self) -> &'static str {
        match self {
            Language::Go => "go",
            Language::Python => "python",
        }
    }

    /// What this machine lacks for it.
    pub fn missing_tool(self) -> Option<&'static str> {
        let needs: &[(&str, &[&str])] = match self {
            Language::Go => &[("go", &["go", "version"])],
            Language::Python => &[("python3 with pip", &["python3", "-m", "pip", "--version"])],
        };
        needs.iter().find(|(_, command)| !answers(command)).map(|(tool, _)| *tool)
    }

    /// Fetches and builds the programs in `source`; everything made goes to `home`.
    pub fn prepare(self, source: &Path, home: &Path) -> Result<Vec<Program>, Failure> {
        let log = home.join("build.log");
        match self {
            Language::Go => go(source, home, &log),
            Language::Python => python(source, home, &log),
        }
    }
}

fn answers(command: &[&str]) -> bool {
    let Some((program, args)) = command.split_first() else { return false };
    let quiet = Command::new(program).args(args).stdout(Stdio::null()).stderr(Stdio::null()).status();
    quiet.is_ok_and(|status| status.success())
}

fn go(source: &Path, home: &Path, log: &Path) -> Result<Vec<Program>, Failure> {
    let binary = home.join("client");
    let mut build = Command::new("go");
    build.current_dir(source).args(["build", "-mod=readonly", "-o"]).arg(&binary).arg(".");
    process::step(&mut build, log, PREPARE_MAX)?;
    Ok(vec![Program { client: "go", command: Command::new(binary) }])
}

fn python(source: &Path, home: &Path, log: &Path) -> Result<Vec<Program>, Failure> {
    let packages = home.join("packages");
    once(source, "requirements.txt", home, &packages, || {
        let mut install = Command::new("python3");
        install
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--target"])
            .arg(&packages)
            .arg("--requirement")
            .arg(source.join("requirements.txt"));
        process::step(&mut install, log, PREPARE_MAX)
    })?;
    let program = |client, file| {
        let mut command = Command::new("python3");
        // Bytecode would be written beside the sources.
        command.arg("-B").arg(source.join(file)).env("PYTHONPATH", &packages);
        Program { client, command }
    };
    Ok(vec![program("python-etcd3", "etcd3_client.py"), program("python-etcd3gw", "etcd3gw_client.py")])
}

/// Installs into `folder` unless it was made from the very same `list` of packages.
fn once(
    source: &Path,
    list: &str,
    home: &Path,
    folder: &Path,
    install: impl FnOnce() -> Result<(), Failure>,
) -> Result<(), Failure> {
    let wanted = std::fs::read(source.join(list))?;
    let mut name = OsString::from("installed-");
    name.push(list);
    let mark = home.join(name);
    if std::fs::read(&mark).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    install()?;
    Ok(std::fs::write(mark, wanted)?)
}
