//! What each language needs: its tools, how its programs are built below target/clients, and how they are started.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::ValueEnum;

use super::{PREPARE_MAX, process};
use crate::Failure;
use crate::steps::cargo_command;

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Language {
    Go,
    Python,
    Node,
    Rust,
    Java,
}

/// One client's program, ready to be started with an endpoint.
pub struct Program {
    pub client: &'static str,
    pub command: Command,
}

impl Language {
    pub const ALL: &'static [Language] =
        &[Language::Go, Language::Python, Language::Node, Language::Rust, Language::Java];

    /// Also the name of its folder in tests/clients.
    pub fn name(self) -> &'static str {
        match self {
            Language::Go => "go",
            Language::Python => "python",
            Language::Node => "node",
            Language::Rust => "rust",
            Language::Java => "java",
        }
    }

    /// What this machine lacks for it.
    pub fn missing_tool(self) -> Option<&'static str> {
        let needs: &[(&str, &[&str])] = match self {
            Language::Go => &[("go", &["go", "version"])],
            Language::Python => &[("python3 with pip", &["python3", "-m", "pip", "--version"])],
            Language::Node => &[("node", &["node", "--version"]), ("npm", &["npm", "--version"])],
            // Whoever runs this has cargo.
            Language::Rust => &[],
            Language::Java => &[("JDK", &["javac", "-version"]), ("mvn", &["mvn", "--version"])],
        };
        needs.iter().find(|(_, command)| !answers(command)).map(|(tool, _)| *tool)
    }

    /// Fetches and builds the programs in `source`; everything made goes to `home`.
    pub fn prepare(self, source: &Path, home: &Path) -> Result<Vec<Program>, Failure> {
        let log = home.join("build.log");
        match self {
            Language::Go => go(source, home, &log),
            Language::Python => python(source, home, &log),
            Language::Node => node(source, home, &log),
            Language::Rust => rust(source, home, &log),
            Language::Java => java(source, home, &log),
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

fn node(source: &Path, home: &Path, log: &Path) -> Result<Vec<Program>, Failure> {
    // Node looks for packages beside the program, so the program goes to where they are.
    let mut sources: Vec<PathBuf> =
        std::fs::read_dir(source)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    sources.sort();
    for path in sources.iter().filter(|path| path.is_file()) {
        std::fs::copy(path, home.join(path.file_name().expect("an entry of a folder has a name")))?;
    }
    once(source, "package-lock.json", home, &home.join("node_modules"), || {
        let mut install = Command::new("npm");
        install.current_dir(home).args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]);
        process::step(&mut install, log, PREPARE_MAX)
    })?;
    let mut command = Command::new("node");
    command.arg(home.join("client.js"));
    Ok(vec![Program { client: "node", command }])
}

fn rust(source: &Path, home: &Path, log: &Path) -> Result<Vec<Program>, Failure> {
    let build = |package: &str| {
        let mut build = cargo_command(source);
        build.args(["build", "--locked", "--package", package, "--target-dir"]).arg(home);
        build
    };
    process::step(&mut build("protoc"), log, PREPARE_MAX)?;
    let protoc = Command::new(home.join("debug/protoc")).output()?;
    let path = String::from_utf8_lossy(&protoc.stdout).into_owned();
    process::step(build("rust-client").env("PROTOC", path.trim()), log, PREPARE_MAX)?;
    Ok(vec![Program { client: "rust", command: Command::new(home.join("debug/rust-client")) }])
}

fn java(source: &Path, home: &Path, log: &Path) -> Result<Vec<Program>, Failure> {
    let mut build = Command::new("mvn");
    build.args(["--batch-mode", "--quiet", "--file"]).arg(source.join("pom.xml"));
    build.arg(format!("-Dmade={}", home.display())).arg("compile");
    process::step(&mut build, log, PREPARE_MAX)?;
    let mut command = Command::new("java");
    command.arg("-cp").arg(format!("{0}/classes:{0}/libraries/*", home.display())).arg("clients.Main");
    Ok(vec![Program { client: "java", command }])
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
