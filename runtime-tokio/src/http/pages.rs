//! `/health`, `/livez`, `/readyz` and `/version`, to the byte. Source: contract-semantics 20.
use super::{
    Metrics,
    answer::{self, Answer, json, plain, text},
    metrics::open_files_max,
};
use crate::{Tokio, net::VersionJson};
use detcd_driver::{Node, Probe};
use http::{HeaderValue, Method, Request, StatusCode, header};
use std::env;

/// The pages of the client port.
pub async fn for_clients<B>(node: &Node<Tokio>, metrics: &Metrics, request: &Request<B>) -> Answer {
    match request.uri().path() {
        "/version" if request.method() != Method::GET => answer::method_not_allowed("GET"),
        "/version" => version(node),
        "/debug/vars" => variables(),
        _ => for_metrics(node, metrics, request).await,
    }
}

/// Those that `--listen-metrics-urls` has as well.
pub async fn for_metrics<B>(node: &Node<Tokio>, metrics: &Metrics, request: &Request<B>) -> Answer {
    let query = request.uri().query().unwrap_or_default();
    let path = request.uri().path();
    let (page, checks, name) = match path.strip_prefix('/').unwrap_or_default().split_once('/') {
        None if path == "/health" && request.method() != Method::GET => {
            return answer::method_not_allowed("GET");
        }
        None if path == "/health" => return health(node, query).await,
        None if path == "/metrics" => return metrics.page(),
        None if path == "/livez" => ("livez", &LIVE[..], None),
        None if path == "/readyz" => ("readyz", &READY[..], None),
        Some(("livez", name)) => ("livez", &LIVE[..], Some(name)),
        Some(("readyz", name)) => ("readyz", &READY[..], Some(name)),
        _ => return answer::not_found(),
    };
    let checks = match name {
        None => checks,
        Some(name) => match checks.iter().position(|check| check.0 == name) {
            Some(at) => checks.get(at..=at).unwrap_or_default(),
            None => return answer::not_found(),
        },
    };
    let count = |name: &str, is_ok| metrics.checked(page, name, is_ok);
    run_checks(node, checks, query, count).await
}

fn version(node: &Node<Tokio>) -> Answer {
    let said = node.versions();
    json(answer::to_json(&VersionJson { server: said.server, cluster: said.cluster, storage: said.storage }))
}

/// The command line and the limit of descriptors, in the form of Go's expvar; what else etcd has there is Go's own or
/// its Raft library's.
fn variables() -> Answer {
    let words: Vec<String> = env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    let mut lines = vec![format!("\"cmdline\": {}", answer::to_json(&words))];
    lines.extend(open_files_max().map(|max| format!("\"file_descriptor_limit\": {max}")));
    let mut answer = json(format!("{{\n{}\n}}\n", lines.join(",\n")));
    let kind = HeaderValue::from_static("application/json; charset=utf-8");
    answer.headers_mut().insert(header::CONTENT_TYPE, kind);
    answer
}

async fn health(node: &Node<Tokio>, query: &str) -> Answer {
    let exclude: Vec<String> = values(query, "exclude").collect();
    let serializable = values(query, "serializable").any(|value| value == "true");
    match node.health(&exclude, serializable).await {
        Ok(()) => {
            let mut answer = plain(StatusCode::OK, r#"{"health":"true","reason":""}"#.to_string());
            answer.headers_mut().remove(header::X_CONTENT_TYPE_OPTIONS);
            answer
        }
        Err(reason) => {
            let reason = answer::to_json(&reason);
            text(StatusCode::SERVICE_UNAVAILABLE, &format!(r#"{{"health":"false","reason":{reason}}}"#))
        }
    }
}

type Check = (&'static str, Probe);

const LIVE: [Check; 1] = [("serializable_read", Probe::SerializableRead)];
const READY: [Check; 4] = [
    ("data_corruption", Probe::DataCorruption),
    ("serializable_read", Probe::SerializableRead),
    ("linearizable_read", Probe::LinearizableRead),
    ("non_learner", Probe::NonLearner),
];

async fn run_checks(node: &Node<Tokio>, checks: &[Check], query: &str, count: impl Fn(&str, bool)) -> Answer {
    let exclude: Vec<String> = values(query, "exclude").collect();
    let (mut lines, mut failed) = (String::new(), false);
    for (name, probe) in checks.iter().filter(|(name, _)| !exclude.iter().any(|skip| skip == name)) {
        let outcome = node.probe(*probe).await;
        count(name, outcome.is_ok());
        match outcome {
            Ok(()) => lines += &format!("[+]{name} ok\n"),
            Err(why) => {
                failed = true;
                lines += &format!("[-]{name} failed: {why}\n");
            }
        }
    }
    if failed {
        return text(StatusCode::SERVICE_UNAVAILABLE, &lines);
    }
    let verbose = query.split('&').any(|pair| pair == "verbose" || pair.starts_with("verbose="));
    plain(StatusCode::OK, if verbose { lines + "ok\n" } else { "ok\n".to_string() })
}

/// Every value that a query gives to a name. The names and values here need no unescaping.
fn values<'a>(query: &'a str, name: &'a str) -> impl Iterator<Item = String> + 'a {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .filter(move |(key, _)| *key == name)
        .map(|(_, value)| value.to_string())
}
