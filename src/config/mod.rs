//! What `etcd` is told on its command line and in `ETCD_*` variables, and what follows from it.
//! Source: contract-cli 2 to 5.
mod auth;
mod flags;
pub mod founding;
mod join;
pub mod urls;

pub use flags::{Environment, EnvironmentTrouble, Misuse, Values};
pub use urls::addresses;

use detcd_core::{ClusterId, Config, Member, MemberId, Span, version};
use detcd_runtime_tokio::http::{Access, Limits};
use flags::{Flag, Kind};
use std::{path::PathBuf, time::Duration};

macro_rules! flags {
    ($($name:literal $kind:ident$(($of:expr))? $default:literal $help:literal;)*) => {
        &[$(Flag { name: $name, kind: Kind::$kind$(($of))?, default: $default, help: $help }),*]
    };
}

/// Every flag there is so far. What etcd has beyond these is refused as unknown, never silently ignored.
pub const FLAGS: &[Flag] = flags! {
    "name" Text "default" "human-readable name for this member";
    "data-dir" Text "" "path to the data directory (default \"<name>.etcd\")";
    "snapshot-count" Unsigned "10000" "number of committed transactions to trigger a snapshot to disk; 0 means 10000";
    "snapshot-catchup-entries" Unsigned "5000" "number of entries for a slow follower to catch up after compacting the Raft log; 0 means 5000";
    "experimental-snapshot-catchup-entries" Unsigned "5000" "the name of snapshot-catchup-entries before etcd 3.6; deprecated";
    "heartbeat-interval" Unsigned "100" "time (in milliseconds) of a heartbeat interval";
    "election-timeout" Unsigned "1000" "time (in milliseconds) for an election to timeout";
    "listen-peer-urls" Urls "http://localhost:2380" "URLs to listen on for peer traffic";
    "listen-client-urls" Urls "http://localhost:2379" "URLs to listen on for client traffic";
    "quota-backend-bytes" Signed "0" "space quota in bytes; 0 means 2 GiB, negative none";
    "max-txn-ops" Unsigned "128" "maximum number of operations permitted in a transaction";
    "max-request-bytes" Unsigned "1572864" "maximum client request size in bytes the server will accept";
    "max-concurrent-streams" Small "4294967295" "maximum number of concurrent streams that each client can open";
    "grpc-keepalive-min-time" Duration "5s" "minimum time that a client waits between two pings";
    "grpc-keepalive-interval" Duration "2h" "time after which the server pings a client; 0 means two hours";
    "grpc-keepalive-timeout" Duration "20s" "time the server waits for the answer to a ping; 0 means twenty seconds";
    "watch-progress-notify-interval" Duration "0s" "time between two progress notices; 0 means ten minutes, and less than 100ms means 100ms";
    "strict-reconfig-check" Switch "true" "reject changes of the members that would put the quorum at risk";
    "max-learners" Unsigned "1" "maximum number of learners";
    "initial-advertise-peer-urls" Urls "http://localhost:2380" "peer URLs to tell the rest of the cluster";
    "initial-cluster" Text "default=http://localhost:2380" "initial cluster configuration for bootstrapping";
    "initial-cluster-state" OneOf(&["new", "existing"]) "new" "initial cluster state (\"new\" or \"existing\")";
    "force-new-cluster" Switch "false" "go on alone with the data there is, whoever else was a member; unsafe";
    "promote-learners" Switch "false" "while leading, make learners voters as soon as they have caught up";
    "initial-cluster-token" Text "etcd-cluster" "initial cluster token";
    "advertise-client-urls" Urls "http://localhost:2379" "client URLs to tell the rest of the cluster";
    "cors" UrlsOr("*") "*" "origins that may ask from a browser, with commas between; * means all";
    "host-whitelist" Words "*" "host names that HTTP requests may ask by, with commas between; * means all";
    "enable-grpc-gateway" Switch "true" "serve the client API as JSON over HTTP as well";
    "listen-metrics-urls" UrlsOr("") "" "URLs to serve /metrics and the pages about health on besides the client URLs";
    "metrics" OneOf(&["basic", "extensive"]) "basic" "extensive adds how long calls take";
    "pre-vote" Switch "true" "run an additional Raft election phase";
    "auth-token" Text "simple" "auth token type and its options";
    "auth-token-ttl" Unsigned "300" "time (in seconds) a simple token lives without being used";
    "bcrypt-cost" Unsigned "10" "cost of hashing passwords, 4 to 31";
    "logger" OneOf(&["zap"]) "zap" "only zap's format is there";
    "log-outputs" Text "default" "default, stdout, stderr or file paths, with commas between";
    "log-level" OneOf(&["debug", "info", "warn", "error", "panic", "fatal"]) "info"
        "debug, info, warn, error, panic or fatal";
    "version" Switch "false" "print the version and exit";
};

pub const USAGE: &str = "Usage:

  etcd [flags]
    Start a member.

  etcd --version
    Show the version.

  etcd -h | --help
    Show this help.
";

/// Every flag with its default and meaning.
pub fn flag_lines() -> String {
    let mut text = String::new();
    for flag in FLAGS {
        text += &format!("  --{} '{}'\n    {}.\n", flag.name, flag.default, flag.help);
    }
    text
}

/// What `--version` prints. Tools read the first line.
pub fn version_lines() -> String {
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    format!(
        "etcd Version: {}\nGit SHA: {}\nGo Version: none (Rust)\nGo OS/Arch: {}/{arch}\ndetcd Version: {}\n",
        version::SERVER,
        option_env!("DETCD_GIT_SHA").unwrap_or("Not provided"),
        std::env::consts::OS,
        env!("CARGO_PKG_VERSION"),
    )
}

/// How a member is to run, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    pub name: String,
    pub data_dir: PathBuf,
    pub listen_peer_urls: Vec<String>,
    pub listen_client_urls: Vec<String>,
    pub advertise_peer_urls: Vec<String>,
    pub advertise_client_urls: Vec<String>,
    pub initial_cluster: String,
    pub initial_cluster_is_new: bool,
    pub initial_cluster_token: String,
    pub heartbeat_ms: u64,
    pub election_ms: u64,
    pub pre_vote: bool,
    /// 0: as usual, and so for the next.
    pub snapshot_count: u64,
    pub snapshot_catchup_entries: u64,
    pub quota_backend_bytes: i64,
    pub max_txn_ops: u64,
    pub max_request_bytes: u64,
    pub transport: Limits,
    pub watch_progress_interval: Duration,
    pub strict_reconfig_check: bool,
    pub max_learners: u64,
    pub promote_learners: bool,
    pub force_new_cluster: bool,
    pub access: Access,
    pub enable_grpc_gateway: bool,
    pub listen_metrics_urls: Vec<String>,
    pub extensive_metrics: bool,
    pub auth_token: String,
    /// In seconds.
    pub auth_token_ttl: u64,
    pub bcrypt_cost: u64,
}

/// An election may not take longer; etcd's limit.
const ELECTION_MS_MAX: u64 = 50_000;

impl Settings {
    /// Errors are etcd's texts behind `failed to verify flags`.
    pub fn from_values(values: &Values) -> Result<Settings, String> {
        if let Some(word) = values.rest.first() {
            return Err(format!("'{word}' is not a valid flag"));
        }
        let name = values.text("name").to_string();
        let data_dir = match values.text("data-dir") {
            "" => format!("{name}.etcd"),
            given => given.to_string(),
        };
        let advertise_peer_urls = values.urls("initial-advertise-peer-urls");
        let initial_cluster = if values.is_set("initial-cluster") || name == "default" {
            values.text("initial-cluster").to_string()
        } else {
            // A name alone is enough for a cluster of one.
            advertise_peer_urls.iter().map(|url| format!("{name}={url}")).collect::<Vec<_>>().join(",")
        };
        let settings = Settings {
            name,
            data_dir: data_dir.into(),
            listen_peer_urls: values.urls("listen-peer-urls"),
            listen_client_urls: values.urls("listen-client-urls"),
            advertise_peer_urls,
            advertise_client_urls: values.urls("advertise-client-urls"),
            initial_cluster,
            initial_cluster_is_new: values.text("initial-cluster-state") == "new",
            initial_cluster_token: values.text("initial-cluster-token").to_string(),
            heartbeat_ms: values.unsigned("heartbeat-interval"),
            election_ms: values.unsigned("election-timeout"),
            pre_vote: values.switch("pre-vote"),
            snapshot_count: values.unsigned("snapshot-count"),
            snapshot_catchup_entries: snapshot_catchup_entries(values)?,
            quota_backend_bytes: values.signed("quota-backend-bytes"),
            max_txn_ops: values.unsigned("max-txn-ops"),
            max_request_bytes: values.unsigned("max-request-bytes"),
            transport: transport(values),
            watch_progress_interval: values.duration("watch-progress-notify-interval"),
            strict_reconfig_check: values.switch("strict-reconfig-check"),
            max_learners: values.unsigned("max-learners"),
            promote_learners: values.switch("promote-learners"),
            force_new_cluster: values.switch("force-new-cluster"),
            access: Access { origins: values.words("cors"), hosts: values.words("host-whitelist") },
            enable_grpc_gateway: values.switch("enable-grpc-gateway"),
            listen_metrics_urls: values.words("listen-metrics-urls"),
            extensive_metrics: values.text("metrics") == "extensive",
            auth_token: values.text("auth-token").to_string(),
            auth_token_ttl: values.unsigned("auth-token-ttl"),
            bcrypt_cost: values.unsigned("bcrypt-cost"),
        };
        if values.is_set("listen-client-urls") && !values.is_set("advertise-client-urls") {
            return Err(
                "--advertise-client-urls is required when --listen-client-urls is set explicitly".to_string()
            );
        }
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<(), String> {
        urls::require_bindable(&self.listen_peer_urls)?;
        urls::require_bindable(&self.listen_client_urls)?;
        urls::require_bindable(&self.listen_metrics_urls)?;
        for urls in [
            &self.listen_peer_urls,
            &self.listen_client_urls,
            &self.listen_metrics_urls,
            &self.advertise_peer_urls,
            &self.advertise_client_urls,
        ] {
            urls::require_http(urls)?;
        }
        let (heartbeat, election) = (self.heartbeat_ms, self.election_ms);
        for (flag, value) in [("heartbeat-interval", heartbeat), ("election-timeout", election)] {
            if value == 0 {
                return Err(format!("--{flag} must be >0 (set to 0ms)"));
            }
        }
        if heartbeat.saturating_mul(5) > election {
            return Err(format!(
                "--election-timeout[{election}ms] should be at least as 5 times as --heartbeat-interval[{heartbeat}ms]"
            ));
        }
        if election > ELECTION_MS_MAX {
            return Err(format!(
                "--election-timeout[{election}ms] is too long, and should be set less than {ELECTION_MS_MAX}ms"
            ));
        }
        Ok(())
    }

    /// The members that `--initial-cluster` lists, ascending by id, this one among them. Errors are etcd's.
    fn listed(&self) -> Result<Vec<Member>, String> {
        let members = founding::listed(&self.name, &self.initial_cluster, &self.initial_cluster_token)?;
        for member in &members {
            urls::require_http(&member.peer_urls)?;
        }
        Ok(members)
    }

    /// The members of a new cluster, ascending by id. Errors are etcd's.
    pub fn bootstrap(&self) -> Result<Vec<Member>, String> {
        let members = self.listed()?;
        founding::agrees(&self.name, &members, &self.advertise_peer_urls)?;
        Ok(members)
    }

    /// What the core is told. `owner` is whose log the data directory holds, if it holds one, or who this member is in
    /// the cluster that it joins: then the flags about the cluster's beginning count no more.
    pub fn core_config(&self, owner: Option<(MemberId, ClusterId)>) -> Result<Config, String> {
        let (id, cluster_id, bootstrap) = match owner {
            Some((id, cluster_id)) => (id, cluster_id, Vec::new()),
            None => {
                let bootstrap = self.bootstrap()?;
                let me = bootstrap.iter().find(|member| member.name == self.name);
                let id = me.expect("bootstrap made sure that this member is listed").id;
                (id, ClusterId::of_members(bootstrap.iter().map(|member| member.id)), bootstrap)
            }
        };
        let me = Member {
            id,
            name: self.name.clone(),
            peer_urls: self.advertise_peer_urls.clone(),
            client_urls: self.advertise_client_urls.clone(),
            is_learner: false,
        };
        let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let given = |number: u64| (number > 0).then_some(number);
        let usual = Config::new(me, cluster_id, bootstrap);
        Ok(Config {
            heartbeat_interval: Span::millis(self.heartbeat_ms),
            election_timeout: Span::millis(self.election_ms),
            pre_vote: self.pre_vote,
            max_request_bytes: size(self.max_request_bytes),
            max_txn_ops: size(self.max_txn_ops),
            quota_backend_bytes: self.quota_backend_bytes,
            strict_reconfig_check: self.strict_reconfig_check,
            max_learners: size(self.max_learners),
            snapshot_count: given(self.snapshot_count).unwrap_or(usual.snapshot_count),
            snapshot_catchup_entries: given(self.snapshot_catchup_entries)
                .unwrap_or(usual.snapshot_catchup_entries),
            promote_learners: self.promote_learners,
            force_new_cluster: self.force_new_cluster,
            watch_progress_interval: span(self.watch_progress_interval)
                .unwrap_or(usual.watch_progress_interval),
            ..usual
        })
    }
}

/// Under its name of today or the one before.
fn snapshot_catchup_entries(values: &Values) -> Result<u64, String> {
    const NAME: &str = "snapshot-catchup-entries";
    const OLD: &str = "experimental-snapshot-catchup-entries";
    match (values.is_set(OLD), values.is_set(NAME)) {
        (true, true) => {
            Err(format!("cannot set --{OLD} and --{NAME} at the same time, please use --{NAME} only"))
        }
        (true, false) => Ok(values.unsigned(OLD)),
        (false, _) => Ok(values.unsigned(NAME)),
    }
}

/// Nothing for no time at all.
fn span(duration: Duration) -> Option<Span> {
    (!duration.is_zero()).then(|| Span(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
}

/// Zero stands for what Go's gRPC library does on its own.
fn transport(values: &Values) -> Limits {
    let usual = Limits::default();
    let or =
        |name, usual: Duration| Some(values.duration(name)).filter(|given| !given.is_zero()).unwrap_or(usual);
    Limits {
        concurrent_streams: values.small("max-concurrent-streams"),
        client_pings_min: or("grpc-keepalive-min-time", Duration::from_secs(5 * 60)),
        ping_every: or("grpc-keepalive-interval", usual.ping_every),
        ping_patience: or("grpc-keepalive-timeout", usual.ping_patience),
    }
}

#[cfg(test)]
mod tests;
