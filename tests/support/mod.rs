//! Real processes on loopback: start them, ask them, kill them, and leave nothing behind.
#![allow(dead_code, clippy::unwrap_used)]
pub mod load;

use detcd_proto::etcdserverpb as pb;
use detcd_runtime_tokio::generated::etcdserverpb::{
    kv_client::KvClient, maintenance_client::MaintenanceClient,
};
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};
use tonic::transport::{Channel, Endpoint};

/// How long a member may take to become healthy on a busy machine before the test gives up on it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder that goes away with the test.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("detcd-{name}-{}", std::process::id()));
        if path.exists() {
            std::fs::remove_dir_all(&path).unwrap();
        }
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A test that failed leaves its logs for whoever wants to know why.
        if !std::thread::panicking()
            && let Err(error) = std::fs::remove_dir_all(&self.0)
        {
            eprintln!("{}: {error}", self.0.display());
        }
    }
}

pub fn free_ports(count: usize) -> Vec<u16> {
    let held: Vec<TcpListener> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    held.iter().map(|listener| listener.local_addr().unwrap().port()).collect()
}

/// One member: how to start it, and its process while it runs.
pub struct Member {
    args: Vec<String>,
    log: PathBuf,
    pub client: String,
    child: Option<Child>,
}

impl Member {
    /// Starts with this flag too.
    pub fn flag(&mut self, flag: &str) {
        self.args.push(flag.to_string());
    }

    pub fn start(&mut self) {
        assert!(self.child.is_none(), "already running");
        let log = std::fs::File::options().create(true).append(true).open(&self.log).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_etcd"))
            .args(&self.args)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("running");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// SIGTERM; the member must end by it.
    pub fn terminate(&mut self) {
        let mut child = self.child.take().expect("running");
        let sent = Command::new("kill").arg("-TERM").arg(child.id().to_string()).status().unwrap();
        assert!(sent.success());
        let ended = child.wait().unwrap();
        assert_eq!(ended.signal(), Some(15), "{ended}: {}", self.log_text());
    }

    pub fn is_running(&self) -> bool {
        self.child.is_some()
    }

    /// Status code and body of one HTTP/1.1 request to the client port.
    pub fn http_get(&self, path: &str) -> std::io::Result<(u16, String)> {
        let mut reply = String::new();
        self.http("GET", path, "")?.read_to_string(&mut reply)?;
        Ok(code_and_body(&reply))
    }

    /// The same for a request with a body of JSON.
    pub fn http_post(&self, path: &str, json: &str) -> (u16, String) {
        let mut reply = String::new();
        self.http("POST", path, json).unwrap().read_to_string(&mut reply).unwrap();
        code_and_body(&reply)
    }

    /// Asks, and leaves the answer to be read.
    pub fn http(&self, method: &str, path: &str, body: &str) -> std::io::Result<TcpStream> {
        let mut stream = TcpStream::connect(&self.client)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let (host, length) = (&self.client, body.len());
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )?;
        Ok(stream)
    }

    pub fn wait_healthy(&mut self) {
        let begin = Instant::now();
        loop {
            if self.http_get("/health").is_ok_and(|(code, _)| code == 200) {
                return;
            }
            let child = self.child.as_mut().expect("running");
            if let Some(status) = child.try_wait().unwrap() {
                panic!("the member ended ({status}); its log: {}", self.log_text());
            }
            assert!(begin.elapsed() < PATIENCE, "not healthy; its log: {}", self.log_text());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Names of files in a folder of the data directory, ascending.
    pub fn files(&self, folder: &str) -> Vec<String> {
        let data = self.args.iter().find_map(|arg| arg.strip_prefix("--data-dir=")).unwrap();
        let entries = std::fs::read_dir(Path::new(data).join(folder)).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    pub fn log_text(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// A lazily connecting channel, so that a member that is down costs an error and no wait.
    pub fn channel(&self) -> Channel {
        Endpoint::from_shared(format!("http://{}", self.client))
            .unwrap()
            .connect_timeout(Duration::from_secs(1))
            .connect_lazy()
    }

    pub fn kv(&self) -> KvClient<Channel> {
        KvClient::new(self.channel())
    }

    pub async fn status(&self) -> Result<pb::StatusResponse, tonic::Status> {
        let reply = MaintenanceClient::new(self.channel()).status(pb::StatusRequest {}).await?;
        Ok(reply.into_inner())
    }

    /// What a flag is set to.
    pub fn setting(&self, flag: &str) -> &str {
        let prefix = format!("--{flag}=");
        self.args.iter().find_map(|arg| arg.strip_prefix(&prefix)).unwrap()
    }

    /// Runs our etcdctl against this member.
    pub fn etcdctl(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_etcdctl"))
            .env_clear()
            .arg(format!("--endpoints={}", self.client))
            .args(args)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.kill();
        }
    }
}

fn code_and_body(reply: &str) -> (u16, String) {
    let (head, body) = reply.split_once("\r\n\r\n").unwrap_or((reply, ""));
    let code = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    (code, body.to_string())
}

/// Runs our etcdutl.
pub fn etcdutl(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_etcdutl")).env_clear().args(args).stdin(Stdio::null()).output().unwrap()
}

/// `count` members of one new cluster, not started yet.
pub fn cluster(folder: &Folder, count: usize) -> Vec<Member> {
    let ports = free_ports(2 * count);
    let (clients, peers) = ports.split_at(count);
    let peer_url = |at: usize| format!("http://127.0.0.1:{}", peers[at]);
    let initial: Vec<String> = (0..count).map(|at| format!("m{at}={}", peer_url(at))).collect();
    let member = |at: usize| {
        let client = format!("127.0.0.1:{}", clients[at]);
        let data = folder.path().join(format!("m{at}.etcd"));
        let flags = [
            ("name", format!("m{at}")),
            ("data-dir", data.to_str().unwrap().to_string()),
            ("listen-client-urls", format!("http://{client}")),
            ("advertise-client-urls", format!("http://{client}")),
            ("listen-peer-urls", peer_url(at)),
            ("initial-advertise-peer-urls", peer_url(at)),
            ("initial-cluster", initial.join(",")),
            ("initial-cluster-state", "new".to_string()),
        ];
        Member {
            args: flags.iter().map(|(name, value)| format!("--{name}={value}")).collect(),
            log: folder.path().join(format!("m{at}.log")),
            client,
            child: None,
        }
    };
    (0..count).map(member).collect()
}
