//! `/health`, `/livez`, `/readyz` and `/version`, to the byte. Source: contract-semantics 20.
use super::answer::{self, Answer, json, plain, text};
use crate::{Tokio, net::VersionJson};
use detcd_driver::{Node, Probe};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};

/// What a page is made from.
pub async fn answer<B>(node: &Node<Tokio>, request: &Request<B>) -> Answer {
    let mut answer = match request.method() {
        // A browser that asks whether it may.
        &Method::OPTIONS => answer::empty(StatusCode::OK),
        method => {
            let (path, query) = (request.uri().path(), request.uri().query().unwrap_or_default());
            page(node, method == Method::GET, path, query).await
        }
    };
    allow_everybody(answer.headers_mut());
    answer
}

/// etcd's `--cors` is `*` by default.
fn allow_everybody(headers: &mut HeaderMap) {
    const ALLOWED: [(HeaderName, HeaderValue); 3] = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST, GET, OPTIONS, PUT, DELETE")),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
        (
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::from_static("accept, content-type, authorization"),
        ),
    ];
    headers.extend(ALLOWED);
}

async fn page(node: &Node<Tokio>, is_get: bool, path: &str, query: &str) -> Answer {
    let (root, rest) = match path.strip_prefix('/').unwrap_or(path).split_once('/') {
        Some((root, rest)) => (root, Some(rest)),
        None => (path.strip_prefix('/').unwrap_or(path), None),
    };
    let checks: &[Check] = match (root, rest) {
        ("health" | "version", None) if !is_get => return answer::method_not_allowed("GET"),
        ("health", None) => return health(node, query).await,
        ("version", None) => return version(node),
        ("livez", _) => &LIVE,
        ("readyz", _) => &READY,
        _ => return answer::not_found(),
    };
    match rest {
        None => run_checks(node, checks, query).await,
        Some(name) => match checks.iter().position(|check| check.0 == name) {
            Some(at) => run_checks(node, checks.get(at..=at).unwrap_or_default(), query).await,
            None => answer::not_found(),
        },
    }
}

fn version(node: &Node<Tokio>) -> Answer {
    let said = node.versions();
    json(answer::to_json(&VersionJson { server: said.server, cluster: said.cluster, storage: said.storage }))
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

async fn run_checks(node: &Node<Tokio>, checks: &[Check], query: &str) -> Answer {
    let exclude: Vec<String> = values(query, "exclude").collect();
    let (mut lines, mut failed) = (String::new(), false);
    for (name, probe) in checks.iter().filter(|(name, _)| !exclude.iter().any(|skip| skip == name)) {
        match node.probe(*probe).await {
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
