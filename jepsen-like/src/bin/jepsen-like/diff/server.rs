//! The servers that are compared: started here on loopback with everything alike but their ports, or found running.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::{Child, Command};

use super::wire::Wire;

/// How long a member may take until it serves.
const START_MAX: Duration = Duration::from_secs(30);
/// How often starting it is tried.
const STARTS_MAX: u32 = 3;
const PAUSE: Duration = Duration::from_millis(20);

/// What both members are told of their addresses: IDs grow out of the peer address, and nobody dials either.
const PEER_URL: &str = "http://127.0.0.1:2380";
const CLIENT_URL: &str = "http://127.0.0.1:2379";

/// Where a server comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A program that is started afresh for every round.
    Program(PathBuf),
    /// The address of a server that runs already and holds nothing yet.
    Address(String),
}

impl Source {
    pub fn parse(text: &str) -> Source {
        match text.strip_prefix("http://") {
            Some(address) => Source::Address(address.trim_end_matches('/').to_owned()),
            None => Source::Program(text.into()),
        }
    }
}

/// A running server.
pub struct Server {
    address: String,
    pub wire: Wire,
    child: Option<Child>,
    log: Option<PathBuf>,
}

impl Server {
    /// Starts or finds the server. Its data, if it is ours, lies in `folder`.
    pub async fn open(source: &Source, folder: &Path) -> Result<Server, String> {
        match source {
            Source::Address(address) => Server::found(address).await,
            Source::Program(program) => {
                let mut tries = 1;
                loop {
                    match Server::start(program, folder).await {
                        // Somebody else may have taken one of its ports.
                        Err(_) if tries < STARTS_MAX => tries += 1,
                        result => return result,
                    }
                }
            }
        }
    }

    /// A server that somebody else started and ends, like that at `127.0.0.1:2379`.
    pub async fn found(address: &str) -> Result<Server, String> {
        let wire = Wire::connect(address).await?;
        Ok(Server { address: address.to_owned(), wire, child: None, log: None })
    }

    /// Where it serves clients, by gRPC and HTTP.
    pub fn address(&self) -> &str {
        &self.address
    }

    async fn start(program: &Path, folder: &Path) -> Result<Server, String> {
        let trouble = |what: &str, error: std::io::Error| format!("{what}: {error}");
        if folder.exists() {
            std::fs::remove_dir_all(folder).map_err(|error| trouble(&folder.display().to_string(), error))?;
        }
        std::fs::create_dir_all(folder).map_err(|error| trouble(&folder.display().to_string(), error))?;
        let [client, peer] = free_ports().map_err(|error| trouble("no free port", error))?;
        let log = folder.join("log");
        let file = std::fs::File::create(&log).map_err(|error| trouble("its log", error))?;
        let errors = file.try_clone().map_err(|error| trouble("its log", error))?;
        let mut child = Command::new(program)
            .env_clear()
            .arg("--name=default")
            .arg(format!("--data-dir={}", folder.join("data").display()))
            .arg(format!("--listen-client-urls=http://127.0.0.1:{client}"))
            .arg(format!("--advertise-client-urls={CLIENT_URL}"))
            .arg(format!("--listen-peer-urls=http://127.0.0.1:{peer}"))
            .arg(format!("--initial-advertise-peer-urls={PEER_URL}"))
            .arg(format!("--initial-cluster=default={PEER_URL}"))
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(errors)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| trouble(&program.display().to_string(), error))?;
        let address = format!("127.0.0.1:{client}");
        let begin = Instant::now();
        loop {
            if let Some(status) = child.try_wait().map_err(|error| trouble("the member", error))? {
                return Err(format!("{} ended with {status}:\n{}", program.display(), tail(&log)));
            }
            if is_ready(&address).await {
                let wire = Wire::connect(&address).await?;
                return Ok(Server { address, wire, child: Some(child), log: Some(log) });
            }
            if begin.elapsed() > START_MAX {
                return Err(format!("{} does not serve:\n{}", program.display(), tail(&log)));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Why it is no longer there, if it was ours and has ended.
    pub fn obituary(&mut self) -> Option<String> {
        let status = self.child.as_mut()?.try_wait().ok()??;
        Some(format!("the server ended with {status}:\n{}", tail(self.log.as_ref()?)))
    }

    /// Ends a server that was started here.
    pub async fn close(mut self) -> Result<(), String> {
        if let Some(child) = &mut self.child {
            child.kill().await.map_err(|error| format!("the server does not end: {error}"))?;
        }
        Ok(())
    }
}

/// Two ports that nobody listens on. They stay free for a moment only; a member that finds its port taken ends.
fn free_ports() -> std::io::Result<[u16; 2]> {
    let held = [TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?];
    Ok([held[0].local_addr()?.port(), held[1].local_addr()?.port()])
}

/// The member says its cluster's version once it has one; what it writes for that is behind it then.
async fn is_ready(address: &str) -> bool {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let ask = async {
        let mut socket = tokio::net::TcpStream::connect(address).await?;
        let request = format!("GET /version HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    let answer = tokio::time::timeout(Duration::from_secs(1), ask).await;
    answer
        .is_ok_and(|answer| answer.is_ok_and(|text| text.contains("200 OK") && !text.contains("not_decided")))
}

fn tail(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}
