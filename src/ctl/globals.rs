//! The flags every command takes, and the `ETCDCTL_*` variables that stand in for them.
//!
//! A flag that is not given falls back to its variable, then to its default. Flag and variable together are an error,
//! so that nobody talks to another cluster than they think. A variable with an unusable value is ignored, as etcdctl
//! does.

use std::ffi::OsString;
use std::time::Duration;

use clap::{ArgAction, Args};

use super::client::Address;
use super::exit::Exit;
use super::go;
use super::password;
use super::print::{Format, Printer};

/// The raw flags: `None` where nothing was given.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Global options")]
pub struct GlobalArgs {
    /// Members to talk to, comma separated [default: 127.0.0.1:2379]
    #[arg(long, global = true, action = ArgAction::Append, value_name = "HOST:PORT,…")]
    endpoints: Vec<String>,
    /// Output format: simple, json, fields, table or protobuf [default: simple]
    #[arg(short = 'w', long, global = true, value_name = "FORMAT")]
    write_out: Option<String>,
    /// Print keys and values (simple) and IDs (fields, json) in hexadecimal
    #[arg(long, global = true)]
    hex: Option<bool>,
    /// How long one attempt to connect may take [default: 2s]
    #[arg(long, global = true, value_parser = go::parse_duration, value_name = "TIME")]
    dial_timeout: Option<Duration>,
    /// How long a short command may take [default: 5s]
    #[arg(long, global = true, value_parser = go::parse_duration, value_name = "TIME")]
    command_timeout: Option<Duration>,
    /// How long a connection is silent before it is probed; 10s is the least [default: 2s]
    #[arg(long, global = true, value_parser = go::parse_duration, value_name = "TIME")]
    keepalive_time: Option<Duration>,
    /// How long a probe waits for its answer [default: 6s]
    #[arg(long, global = true, value_parser = go::parse_duration, value_name = "TIME")]
    keepalive_timeout: Option<Duration>,
    /// Largest request to send; 0 means 2 MiB [default: 0]
    #[arg(long, global = true, value_name = "BYTES")]
    max_request_bytes: Option<i64>,
    /// Largest response to take; 0 means 2 GiB [default: 0]
    #[arg(long, global = true, value_name = "BYTES")]
    max_recv_bytes: Option<i64>,
    /// Tell on standard error what every flag ended up as
    #[arg(long, global = true)]
    debug: Option<bool>,
    /// Who you are: name or name:password
    #[arg(long, global = true, value_name = "NAME[:PASSWORD]")]
    user: Option<String>,
    /// Your password, if --user does not hold it
    #[arg(long, global = true)]
    password: Option<String>,
    /// A JWT instead of a user and a password
    #[arg(long, global = true, value_name = "TOKEN")]
    auth_jwt_token: Option<String>,
    /// Talk without TLS [default: true]; false is not built yet
    #[arg(long, global = true)]
    insecure_transport: Option<bool>,
    /// TLS: take any server certificate (not built yet)
    #[arg(long, global = true)]
    insecure_skip_tls_verify: Option<bool>,
    /// TLS: certificates of the authorities to trust (not built yet)
    #[arg(long, global = true, value_name = "FILE")]
    cacert: Option<String>,
    /// TLS: your certificate (not built yet)
    #[arg(long, global = true, value_name = "FILE")]
    cert: Option<String>,
    /// TLS: your certificate's key (not built yet)
    #[arg(long, global = true, value_name = "FILE")]
    key: Option<String>,
    /// Find endpoints by DNS (not built yet)
    #[arg(short = 'd', long, global = true, value_name = "DOMAIN")]
    discovery_srv: Option<String>,
    /// The service to ask DNS for (not built yet)
    #[arg(long, global = true, value_name = "NAME")]
    discovery_srv_name: Option<String>,
    /// Take endpoints without TLS from DNS [default: true]
    #[arg(long, global = true)]
    insecure_discovery: Option<bool>,
}

/// A whole number as a flag takes it: decimal, or with a prefix for another base.
pub fn parse_flag_int(text: &str) -> Result<i64, String> {
    go::parse_int(text, 0)
}

const SHADOWED: &str = "conflicting environment variable is shadowed by corresponding command-line flag (either unset \
                        environment variable or disable flag))";

/// A complaint about a variable in the shape of a server's log line, which is what etcdctl writes.
fn log_line(level: &str, message: &str, variable: &str) -> String {
    format!(r#"{{"level":"{level}","msg":"{message}","environment-variable":"{variable}"}}"#)
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    Nobody,
    User { name: String, password: String },
    Token(String),
}

/// The flags after environment and defaults.
#[derive(Clone, Debug)]
pub struct Settings {
    /// As the user wrote them; outputs name them so.
    pub endpoints: Vec<String>,
    pub printer: Printer,
    pub dial_timeout: Duration,
    pub command_timeout: Duration,
    /// Somebody set that, else it is the default.
    pub is_timeout_given: bool,
    pub keepalive_time: Duration,
    pub keepalive_timeout: Duration,
    /// Bytes.
    pub request_limit: usize,
    /// Bytes.
    pub response_limit: usize,
    pub identity: Identity,
    /// Whether commands below `endpoint` ask every member of the cluster: `ETCDCTL_CLUSTER`.
    pub cluster: Option<bool>,
}

impl Settings {
    /// The endpoints as addresses to dial.
    pub fn addresses(&self) -> Result<Vec<Address>, Exit> {
        self.endpoints.iter().map(|endpoint| Address::parse(endpoint)).collect()
    }
}

/// What the environment says about one variable.
type Lookup<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// Fills flags from variables and notes what happened.
struct Filler<'a> {
    lookup: Lookup<'a>,
    /// `ETCDCTL_X=value` of every flag, for --debug.
    shown: Vec<String>,
}

impl Filler<'_> {
    fn variable(name: &str) -> String {
        format!("ETCDCTL_{}", name.to_uppercase().replace('-', "_"))
    }

    /// The flag's value, else the variable's if it can be read.
    fn fill<T>(
        &mut self,
        name: &str,
        flag: Option<T>,
        read: impl Fn(&str) -> Option<T>,
        show: impl Fn(Option<&T>) -> String,
    ) -> Result<Option<T>, Exit> {
        let variable = Filler::variable(name);
        let from_env = (self.lookup)(&variable);
        if flag.is_some() && from_env.is_some() {
            return Err(Exit::logged(&log_line("fatal", SHADOWED, &variable)));
        }
        let value = flag.or_else(|| {
            let text = from_env?.into_string().ok()?;
            if text.is_empty() { None } else { read(&text) }
        });
        self.shown.push(format!("{variable}={}", show(value.as_ref())));
        Ok(value)
    }

    fn text(&mut self, name: &str, flag: Option<String>, default: &str) -> Result<Option<String>, Exit> {
        let read = |text: &str| Some(text.to_owned());
        self.fill(name, flag, read, |value| value.map_or(default, String::as_str).to_owned())
    }

    fn flag(&mut self, name: &str, flag: Option<bool>, default: bool) -> Result<bool, Exit> {
        let read = |text: &str| go::parse_bool(text).ok();
        let value = self.fill(name, flag, read, |value| value.unwrap_or(&default).to_string())?;
        Ok(value.unwrap_or(default))
    }

    fn span(&mut self, name: &str, flag: Option<Duration>, default_seconds: u64) -> Result<Duration, Exit> {
        let default = Duration::from_secs(default_seconds);
        let read = |text: &str| go::parse_duration(text).ok();
        let show = |value: Option<&Duration>| go::format_duration(*value.unwrap_or(&default));
        Ok(self.fill(name, flag, read, show)?.unwrap_or(default))
    }

    fn bytes(&mut self, name: &str, flag: Option<i64>, default: usize) -> Result<usize, Exit> {
        let read = |text: &str| parse_flag_int(text).ok();
        let value = self.fill(name, flag, read, |value| value.unwrap_or(&0).to_string())?.unwrap_or(0);
        Ok(usize::try_from(value).ok().filter(|value| *value > 0).unwrap_or(default))
    }
}

impl GlobalArgs {
    /// Settles every flag. Reads the environment through `lookup`; says on standard error what --debug asks for.
    pub fn settle(&self, lookup: Lookup<'_>) -> Result<Settings, Exit> {
        let mut filler = Filler { lookup, shown: Vec::new() };
        let given = (!self.endpoints.is_empty()).then(|| split_endpoints(&self.endpoints));
        let endpoints = filler
            .fill(
                "endpoints",
                given,
                |text| Some(split_endpoints(&[text.to_owned()])),
                |value| format!("[{}]", value.map_or("127.0.0.1:2379".to_owned(), |list| list.join(","))),
            )?
            .unwrap_or_else(|| vec!["127.0.0.1:2379".to_owned()]);
        let dial_timeout = filler.span("dial-timeout", self.dial_timeout, 2)?;
        let command_timeout = filler.span("command-timeout", self.command_timeout, 5)?;
        let variable = lookup(&Filler::variable("command-timeout"));
        let is_timeout_given = self.command_timeout.is_some() || variable.is_some();
        let keepalive_time = filler.span("keepalive-time", self.keepalive_time, 2)?;
        let keepalive_timeout = filler.span("keepalive-timeout", self.keepalive_timeout, 6)?;
        let request_limit = filler.bytes("max-request-bytes", self.max_request_bytes, 2 * 1024 * 1024)?;
        let response_limit = filler.bytes("max-recv-bytes", self.max_recv_bytes, i32::MAX as usize)?;
        let write_out = filler.text("write-out", self.write_out.clone(), "simple")?;
        let hex = filler.flag("hex", self.hex, false)?;
        let debug = filler.flag("debug", self.debug, false)?;
        let user = filler.text("user", self.user.clone(), "")?;
        let password = filler.text("password", self.password.clone(), "")?;
        let token = filler.text("auth-jwt-token", self.auth_jwt_token.clone(), "")?;
        let cluster = filler.fill("cluster", None, |text| go::parse_bool(text).ok(), |_| String::new())?;
        filler.shown.pop();
        self.refuse_unbuilt(&mut filler)?;
        if debug {
            filler.shown.sort();
            for line in &filler.shown {
                eprintln!("{line}");
            }
        }
        if endpoints.is_empty() {
            return Err(Exit::bad_connection("etcdclient: no available endpoints"));
        }
        let identity = identity(user, password, token)?;
        let format = Format::parse(write_out.as_deref().unwrap_or("simple"))?;
        Ok(Settings {
            endpoints,
            printer: Printer { format, hex, value_only: false },
            dial_timeout,
            command_timeout,
            is_timeout_given,
            keepalive_time,
            keepalive_timeout,
            request_limit,
            response_limit,
            identity,
            cluster,
        })
    }

    /// TLS and discovery are real flags with real meaning: taking them silently would be worse than refusing.
    fn refuse_unbuilt(&self, filler: &mut Filler<'_>) -> Result<(), Exit> {
        let files = [("cert", &self.cert), ("key", &self.key), ("cacert", &self.cacert)];
        for (name, value) in files {
            match filler.text(name, value.clone(), "")?.as_deref() {
                None => {}
                Some("") => {
                    return Err(Exit::bad_args(format!("empty string is passed to --{name} option")));
                }
                Some(_) => return Err(Exit::not_built("etcdctl", &format!("TLS (--{name})"))),
            }
        }
        if !filler.flag("insecure-transport", self.insecure_transport, true)? {
            return Err(Exit::not_built("etcdctl", "TLS (--insecure-transport=false)"));
        }
        if filler.flag("insecure-skip-tls-verify", self.insecure_skip_tls_verify, false)? {
            return Err(Exit::not_built("etcdctl", "TLS (--insecure-skip-tls-verify)"));
        }
        filler.flag("insecure-discovery", self.insecure_discovery, true)?;
        for (name, value) in
            [("discovery-srv", &self.discovery_srv), ("discovery-srv-name", &self.discovery_srv_name)]
        {
            if filler.text(name, value.clone(), "")?.is_some_and(|text| !text.is_empty()) {
                return Err(Exit::not_built("etcdctl", &format!("DNS discovery (--{name})")));
            }
        }
        Ok(())
    }
}

fn split_endpoints(given: &[String]) -> Vec<String> {
    let parts = given.iter().filter(|text| !text.is_empty()).flat_map(|text| text.split(','));
    parts.map(|part| part.trim().to_owned()).collect()
}

fn identity(user: Option<String>, password: Option<String>, token: Option<String>) -> Result<Identity, Exit> {
    let given = |value: Option<String>| value.filter(|text| !text.is_empty());
    if let Some(token) = given(token) {
        return Ok(Identity::Token(token));
    }
    let Some(user) = given(user) else { return Ok(Identity::Nobody) };
    let (name, password) = match given(password) {
        Some(password) => (user, password),
        None => match user.split_once(':') {
            Some((name, password)) => (name.to_owned(), password.to_owned()),
            None => {
                let password = password::ask("Password: ").map_err(Exit::error)?;
                (user, password)
            }
        },
    };
    Ok(if name.is_empty() || password.is_empty() {
        Identity::Nobody
    } else {
        Identity::User { name, password }
    })
}

/// Says on standard error which `ETCDCTL_*` variables nobody reads. A typing error there is hard to see otherwise.
pub fn warn_unknown_variables(variables: impl Iterator<Item = OsString>, watching: bool) {
    const KNOWN: &[&str] = &[
        "ENDPOINTS",
        "WRITE_OUT",
        "HEX",
        "DIAL_TIMEOUT",
        "COMMAND_TIMEOUT",
        "KEEPALIVE_TIME",
        "KEEPALIVE_TIMEOUT",
        "MAX_REQUEST_BYTES",
        "MAX_RECV_BYTES",
        "DEBUG",
        "USER",
        "PASSWORD",
        "AUTH_JWT_TOKEN",
        "INSECURE_TRANSPORT",
        "INSECURE_SKIP_TLS_VERIFY",
        "CACERT",
        "CERT",
        "KEY",
        "DISCOVERY_SRV",
        "DISCOVERY_SRV_NAME",
        "INSECURE_DISCOVERY",
        "CLUSTER",
    ];
    for name in variables.filter_map(|name| name.into_string().ok()) {
        let Some(rest) = name.strip_prefix("ETCDCTL_") else { continue };
        let for_watch = watching && matches!(rest, "WATCH_KEY" | "WATCH_RANGE_END");
        if !KNOWN.contains(&rest) && !for_watch {
            eprintln!("{}", log_line("warn", "unrecognized environment variable", &name));
        }
    }
}

#[cfg(test)]
#[path = "globals_tests.rs"]
mod tests;
