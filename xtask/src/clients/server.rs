//! One member on free loopback ports, with a folder of its own; ended by its process ID.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::process::last_words;
use crate::Failure;

/// How long it may take to become healthy, or to end, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(20);

pub struct Server {
    child: Child,
    endpoint: String,
    data: PathBuf,
}

impl Server {
    pub fn start(etcd: &Path, scratch: &Path) -> Result<Server, Failure> {
        let data = scratch.join("data");
        if data.exists() {
            std::fs::remove_dir_all(&data)?;
        }
        std::fs::create_dir_all(&data)?;
        let [client, peer] = free_ports()?.map(|port| format!("http://127.0.0.1:{port}"));
        let log = scratch.join("server.log");
        let file = File::create(&log)?;
        let child = Command::new(etcd)
            .args(["--name", "one", "--data-dir"])
            .arg(data.join("one.etcd"))
            .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
            .arg(format!("--initial-cluster=one={peer}"))
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .map_err(|error| Failure::new(format!("{}: {error}", etcd.display())))?;
        let endpoint = client.trim_start_matches("http://").to_owned();
        let mut server = Server { child, endpoint, data };
        let start = Instant::now();
        while !server.is_healthy() {
            if let Some(status) = server.child.try_wait()? {
                return Err(Failure::new(format!("the server ended with {status}: {}", last_words(&log))));
            }
            if start.elapsed() > PATIENCE {
                return Err(Failure::new(format!("the server does not get healthy: {}", last_words(&log))));
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(server)
    }

    /// Host and port for clients.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Ends it as a user would, and tells whether it was still there to be ended.
    pub fn stop(mut self) -> Result<bool, Failure> {
        if self.child.try_wait()?.is_some() {
            return Ok(false);
        }
        let sent = Command::new("kill").arg(self.child.id().to_string()).status()?;
        if !sent.success() {
            return Err(Failure::new("the server cannot be told to end"));
        }
        let start = Instant::now();
        while self.child.try_wait()?.is_none() {
            if start.elapsed() > PATIENCE {
                return Err(Failure::new("the server does not end when told to"));
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(true)
    }

    /// How often each method was called since the start, by `service/method`.
    pub fn calls(&self) -> Result<BTreeMap<String, u64>, Failure> {
        Ok(super::calls::parse(&self.get("/metrics")?))
    }

    fn is_healthy(&self) -> bool {
        self.get("/health").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200 "))
    }

    /// The whole answer, head and body.
    fn get(&self, path: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(&self.endpoint)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.endpoint)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_)))
            && let Err(error) = self.child.kill().and_then(|()| self.child.wait())
        {
            eprintln!("the server (process {}) is left behind: {error}", self.child.id());
        }
        if let Err(error) = std::fs::remove_dir_all(&self.data) {
            eprintln!("{}: {error}", self.data.display());
        }
    }
}

fn free_ports() -> Result<[u16; 2], Failure> {
    // Both are held until both are known, or they could be the same.
    let held = [TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?];
    Ok([held[0].local_addr()?.port(), held[1].local_addr()?.port()])
}
