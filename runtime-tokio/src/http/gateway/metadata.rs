//! What a request's headers become in the call. Source: contract-api 7.6.
use http::{HeaderMap, HeaderName, HeaderValue, header};
use std::{net::IpAddr, time::Duration};
use tonic::Status;

/// Headers that HTTP itself defines travel behind this prefix, for services to look at if they want.
const FROM_HTTP: &str = "grpcgateway-";
/// What a caller means for the service itself stands behind this one.
const FOR_GRPC: &str = "grpc-metadata-";
const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// The headers of RFC 7231 and its kin that the gateway hands on.
const STANDARD: [&str; 24] = [
    "accept",
    "accept-charset",
    "accept-language",
    "accept-ranges",
    "authorization",
    "cache-control",
    "content-type",
    "cookie",
    "date",
    "expect",
    "from",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-schedule-tag-match",
    "if-unmodified-since",
    "max-forwards",
    "origin",
    "pragma",
    "referer",
    "user-agent",
    "via",
    "warning",
];

/// The call's metadata, for a caller at this address.
pub fn of(headers: &HeaderMap, caller: Option<IpAddr>) -> HeaderMap {
    let mut metadata = HeaderMap::new();
    for (name, value) in headers {
        if name == header::AUTHORIZATION {
            metadata.append(header::AUTHORIZATION, value.clone());
        }
        let mapped = match name.as_str().strip_prefix(FOR_GRPC) {
            Some(rest) if is_grpcs_own(rest) => continue,
            Some(rest) => HeaderName::try_from(rest),
            // Go keeps the host apart from the other headers.
            None if name == header::HOST || !STANDARD.contains(&name.as_str()) => continue,
            None => HeaderName::try_from(format!("{FROM_HTTP}{name}")),
        };
        if let Ok(name) = mapped {
            metadata.append(name, value.clone());
        }
    }
    let host = headers.get(FORWARDED_HOST).or_else(|| headers.get(header::HOST));
    if let Some(host) = host {
        metadata.insert(FORWARDED_HOST, host.clone());
    }
    if let Some(caller) = caller {
        let before = headers.get(FORWARDED_FOR).and_then(|value| value.to_str().ok());
        let way = before.map_or_else(|| caller.to_string(), |before| format!("{before}, {caller}"));
        if let Ok(way) = HeaderValue::try_from(way) {
            metadata.insert(FORWARDED_FOR, way);
        }
    }
    metadata
}

/// Names that are part of the protocol and not the caller's to set.
fn is_grpcs_own(name: &str) -> bool {
    matches!(name, "content-type" | "te" | "user-agent" | "connection" | "transfer-encoding" | "upgrade")
        || name.starts_with("grpc-")
}

/// How long the caller wants to wait.
pub fn timeout(headers: &HeaderMap) -> Result<Option<Duration>, Status> {
    let Some(value) = headers.get(TIMEOUT) else { return Ok(None) };
    let text = String::from_utf8_lossy(value.as_bytes());
    match parse_timeout(&text) {
        Some(timeout) => Ok(Some(timeout)),
        None => Err(Status::invalid_argument(format!("invalid grpc-timeout: {text}"))),
    }
}

fn parse_timeout(text: &str) -> Option<Duration> {
    let (amount, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let amount: u64 = amount.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(amount.saturating_mul(3600)),
        "M" => Duration::from_secs(amount.saturating_mul(60)),
        "S" => Duration::from_secs(amount),
        "m" => Duration::from_millis(amount),
        "u" => Duration::from_micros(amount),
        "n" => Duration::from_nanos(amount),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_become_metadata_as_the_contract_says() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("authorization", "token"),
            ("grpc-metadata-hasleader", "true"),
            ("grpc-metadata-grpc-timeout", "1n"),
            ("grpc-metadata-te", "x"),
            ("accept", "*/*"),
            ("host", "a:1"),
            ("x-forwarded-for", "9.9.9.9"),
            ("x-secret", "dropped"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        let metadata = of(&headers, Some(IpAddr::from([127, 0, 0, 1])));
        let mut seen: Vec<String> =
            metadata.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        seen.sort();
        assert_eq!(
            seen,
            [
                "authorization: token",
                "grpcgateway-accept: */*",
                "grpcgateway-authorization: token",
                "hasleader: true",
                "x-forwarded-for: 9.9.9.9, 127.0.0.1",
                "x-forwarded-host: a:1",
            ]
        );
    }

    #[test]
    fn a_timeout_has_a_unit() {
        let cases = [
            ("500m", Some(Duration::from_millis(500))),
            ("1H", Some(Duration::from_secs(3600))),
            ("7n", Some(Duration::from_nanos(7))),
            ("", None),
            ("m", None),
            ("5", None),
            ("-5S", None),
            ("5é", None),
        ];
        for (text, wished) in cases {
            assert_eq!(parse_timeout(text), wished, "{text}");
        }
    }
}
